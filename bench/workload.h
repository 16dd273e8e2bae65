#pragma once
// Our side of a workload of bench.sh. The program prepares everything, then does its work once for
// every line "run" on standard input and answers each with one line of JSON, so that the script can
// run it and the alternative in turn. "run K N" asks for part K of N of the work.

#include <chrono>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <type_traits>

#include "spanforge/base/json.h"

namespace spanforge::bench {

// run() or run(part, parts): does the work once and returns what to report in addition to the
// seconds it took.
template <class Run>
void answer_runs(Run&& run) {
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    [[maybe_unused]] size_t part = 0, parts = 1;
    std::istringstream words(line.substr(std::string("run").size()));
    words >> part >> parts;
    const auto start = std::chrono::steady_clock::now();
    Json result;
    if constexpr (std::is_invocable_v<Run, size_t, size_t>) {
      result = run(part, parts);
    } else {
      result = run();
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (!result.contains("seconds")) result["seconds"] = seconds.count();
    std::cout << result.dump() << std::endl;
  }
}

template <class Main>
int guarded(Main&& body) {
  try {
    body();
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}

}  // namespace spanforge::bench
