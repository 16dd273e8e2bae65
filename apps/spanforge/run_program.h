#pragma once
// The program without its process: finds the command, runs it, and turns errors into one line and
// an exit code. For main, and for `python -m spanforge`.

#include <functional>
#include <string>
#include <vector>

namespace spanforge::app {

// words: those after the program's name. before_models: called before a command that computes with
// models; may be empty. Sets the process's handlers for SIGPIPE, SIGXFSZ and std::terminate.
int run_program(std::vector<std::string> words, const std::function<void()>& before_models);

}  // namespace spanforge::app
