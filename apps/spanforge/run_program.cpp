#include "run_program.h"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <system_error>

#include "command.h"
#include "flags.h"
#include "help.h"
#include "output.h"
#include "signals.h"
#include "spanforge/base/error.h"
#include "versions.h"

namespace spanforge::app {
namespace {

int dispatch(std::vector<std::string> words, const std::function<void()>& before_models) {
  if (words.empty()) return print_overview(), 0;
  const std::string first = words[0];
  if (first.empty()) {  // a shell variable that is not set
    throw Error(ErrorCode::kUsage, {.where = "spanforge"},
                "which command? spanforge --help lists them");
  }
  if (first == "--help" || first == "-h") return print_overview(), 0;
  if (first == "--version") return print_version(), 0;
  std::string name = first;
  size_t used = 1;
  if (is_group(first)) {
    if (words.size() == 1 || words[1] == "--help" || words[1] == "-h") {
      return print_group(first), 0;
    }
    if (words[1].empty()) {
      throw Error(ErrorCode::kUsage, {.where = first},
                  "which one? spanforge " + first + " --help lists them");
    }
    name += " " + words[1];
    used = 2;
  }
  for (const Command& command : commands()) {
    if (command.name != name) continue;
    if (command.runs_models && before_models) before_models();
    words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(used));
    return command.run(Arguments{&command, std::move(words), {}});
  }
  throw unknown_command(name);
}

int fail(const char* line, int code) {
  write_stderr("spanforge: " + std::string(line) + "\n");
  return code;
}

// Called if there is no memory even for an exception; the runtime would end the process.
[[noreturn]] void end_without_memory() {
  if (std::current_exception() != nullptr) std::abort();
  write_stderr("spanforge: memory: not enough of it\n");
  ::_exit(70);
}

}  // namespace

int run_program(std::vector<std::string> words, const std::function<void()>& before_models) {
  // A closed pipe is noticed when writing, not by a signal that ends a training.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // the same for a file larger than the process may write
  std::set_terminate(end_without_memory);
  try {
    const int code = dispatch(std::move(words), before_models);
    flush_output();
    release_notes();
    return code;
  } catch (const Error& error) {
    try {
      flush_output();
    } catch (const Error&) {  // the first error is reported
    }
    const bool stopped = error.code() == ErrorCode::kInterrupted;
    // A rank that another rank's request stopped ends as by a signal of its own.
    const int signal = stop_signal() != 0 ? stop_signal() : SIGTERM;
    return fail(with_flags(error).what(), exit_code(error.code()) + (stopped ? signal : 0));
  } catch (const std::filesystem::filesystem_error& error) {
    return fail(Error(ErrorCode::kIo, error.path1().string(), error.code().message()).what(),
                exit_code(ErrorCode::kIo));
  } catch (const std::bad_alloc&) {
    return fail("memory: not enough of it for this model and these data", 70);
  } catch (const std::system_error& error) {  // a thread could not be started
    const std::string advice = "; fewer --threads or a larger limit may help";
    return fail(("system: " + error.code().message() + advice).c_str(), exit_code(ErrorCode::kIo));
  } catch (const std::exception& error) {
    return fail((std::string("internal error: ") + error.what()).c_str(), 70);
  }
}

}  // namespace spanforge::app
