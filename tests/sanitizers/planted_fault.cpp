// planted_fault NAME: runs one fault, or its faultless form, for planted.py.
#include <omp.h>

#include <climits>
#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "spanforge/base/threads.h"

namespace {

volatile int one = 1;  // hidden from the optimiser

// --- address, undefined ---
void heap_overflow() {
  std::vector<char> bytes(8);
  char* const data = bytes.data();
  std::printf("%d", data[7 + one]);
}
void use_after_free() {
  char* volatile bytes = new char[8]();
  delete[] bytes;
  std::printf("%d", bytes[one]);
}
void use_after_scope() {
  volatile char* at = nullptr;
  {
    volatile char bytes[8] = {};
    at = bytes + one;
  }
  std::printf("%d", *at);
}
void index_past_the_end() {  // for libstdc++'s assertions: inside the allocation
  std::vector<int> values;
  values.reserve(8);
  values.resize(2);
  std::printf("%d", values[static_cast<size_t>(1 + one)]);
}
void leak() {
  char* volatile bytes = new char[4096]();
  std::printf("%d", bytes[one]);
  bytes = nullptr;
}
void signed_overflow() { std::printf("%d", INT_MAX + one); }
void shift_too_far() { std::printf("%d", 1 << (31 + one)); }
void misaligned() {
  alignas(8) char bytes[16] = {};
  std::printf("%d", *reinterpret_cast<int*>(bytes + one));
}
void float_to_int_overflow() { std::printf("%d", static_cast<int>(1e20 * one)); }
void nothing_wrong() { std::printf("%d", one); }

// --- thread ---
long shared = 0;

void thread_race() {
  std::thread other([] { shared += one; });
  shared += one;
  other.join();
}
void parallel_for_race() {
  for (int round = 0; round < 200;
       ++round) {  // on a busy machine one thread may take a whole round
    spanforge::parallel_for(1000, 1, [](int64_t) { shared += one; });
  }
}
void parallel_for_clean() {
  for (int round = 0; round < 200; ++round) {
    std::vector<long> values(1000, 0);
    spanforge::parallel_for(1000, 10, [&](int64_t i) { values[static_cast<size_t>(i)] += i; });
    for (const long v : values) shared += v;
  }
}
void region_clean() {
  for (int round = 0; round < 200; ++round) {
    std::vector<long> values(6, 0);
    long sum = 0;
#pragma omp parallel num_threads(3)
    {
      const auto i = static_cast<size_t>(omp_get_thread_num());
      values[i] = one;
#pragma omp barrier
      values[3 + i] = values[(i + 1) % 3];
#pragma omp barrier
      values[(i + 1) % 3] = values[3 + i];
#pragma omp critical(planted)
      sum += one;
    }
    shared += sum;
  }
}
void region_without_a_barrier() {
  std::vector<long> values(6, 0);
  for (int round = 0; round < 200; ++round) {
#pragma omp parallel num_threads(3)
    {
      const auto i = static_cast<size_t>(omp_get_thread_num());
      values[i] = one;
      values[3 + i] = values[(i + 1) % 3];
    }
  }
}
void region_without_a_critical_section() {
  for (int round = 0; round < 200; ++round) {
#pragma omp parallel num_threads(3)
    shared += one;
  }
}

const std::map<std::string, void (*)()> kFaults = {
    {"heap_overflow", heap_overflow},
    {"use_after_free", use_after_free},
    {"use_after_scope", use_after_scope},
    {"index_past_the_end", index_past_the_end},
    {"leak", leak},
    {"signed_overflow", signed_overflow},
    {"shift_too_far", shift_too_far},
    {"misaligned", misaligned},
    {"float_to_int_overflow", float_to_int_overflow},
    {"nothing_wrong", nothing_wrong},
    {"thread_race", thread_race},
    {"parallel_for_race", parallel_for_race},
    {"parallel_for_clean", parallel_for_clean},
    {"region_clean", region_clean},
    {"region_without_a_barrier", region_without_a_barrier},
    {"region_without_a_critical_section", region_without_a_critical_section},
};

}  // namespace

int main(int argc, char** argv) {
  const auto fault = kFaults.find(argc == 2 ? argv[1] : "");
  if (fault == kFaults.end()) return 2;
  spanforge::set_thread_count(3);
  fault->second();
  std::puts(" ended");
  return 0;
}
