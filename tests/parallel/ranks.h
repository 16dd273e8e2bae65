#pragma once
// Ranks of a group as threads of one process.

#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "spanforge/parallel/connect.h"
#include "support/testing.h"

namespace spanforge::testing {

// Runs body(group) on `size` threads, each with its own group over the loopback interface. Throws
// the first rank's exception. REQUIRES: group_engine() is not "", or size is 1.
inline void run_ranks(int size, const std::function<void(Group&)>& body) {
  const TemporaryDirectory meeting;
  std::vector<std::exception_ptr> failures(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      try {
        const auto group =
            connect_group({.rank = rank, .size = size}, {.rendezvous = meeting.path().string()});
        body(*group);
      } catch (...) {
        failures[static_cast<size_t>(rank)] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

inline constexpr const char* kNoEngine = "built without Gloo: not tested";

}  // namespace spanforge::testing
