#pragma once
// Runs body(i) on `threads` threads that start at the same moment. Rethrows one of their
// exceptions.

#include <barrier>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace spanforge::testing {

template <class Body>
void together(size_t threads, const Body& body) {
  std::barrier start(static_cast<std::ptrdiff_t>(threads));
  std::vector<std::exception_ptr> failures(threads);
  {
    std::vector<std::jthread> running;
    for (size_t i = 0; i < threads; ++i) {
      running.emplace_back([&, i] {
        start.arrive_and_wait();
        try {
          body(i);
        } catch (...) {
          failures[i] = std::current_exception();
        }
      });
    }
  }
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

}  // namespace spanforge::testing
