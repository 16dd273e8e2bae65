// Work grows with the size of untrusted input, not with its square. Runs each parser and the
// tokenizer on texts made to be costly, at one size and at twice that size. This is the only test
// that looks at a clock: it counts this thread's CPU time and takes the least of several runs.
#include <malloc.h>

#include <algorithm>
#include <ctime>
#include <string>
#include <unordered_set>

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "linear/hostile.h"
#include "spanforge/base/threads.h"
#include "support/colliding_texts.h"

namespace spanforge {
namespace {

// An input that takes less is not measured but doubled: if all of it fits into a cache, twice as
// much may not fit, and costs more for that reason.
constexpr double kLeastSeconds = 0.05;
constexpr size_t kFirstSize = 16384, kLargestSize = 8 << 20;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double seconds_of(const std::string& input, const Use& use, int runs) {
  double least = 1e9;
  for (int i = 0; i < runs; ++i) {
    const double start = cpu_seconds();
    use(input);
    least = std::min(least, cpu_seconds() - start);
  }
  return least;
}

// How much longer one input takes than another: the least of runs in turn, so that a phase in which
// the machine is slow affects both.
double times_as_long(const std::string& small, const std::string& large, const Use& use, int runs) {
  double of_small = 1e9, of_large = 1e9;
  for (int i = 0; i < runs; ++i) {
    of_small = std::min(of_small, seconds_of(small, use, 1));
    of_large = std::min(of_large, seconds_of(large, use, 1));
  }
  return of_large / std::max(of_small, 1e-6);
}

// Whether twice the size takes about twice as long.
::testing::AssertionResult is_linear(const Make& make, const Use& use,
                                     double most_ratio = Hostile().most_ratio) {
  // Freed memory stays with the process, so that the system's zeroing of new pages is not measured.
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, 2000 << 20);
  size_t size = kFirstSize;
  while (size < kLargestSize && seconds_of(make(size), use, 1) < kLeastSeconds) size *= 2;
  // Too fast for the clock: a quadratic cost that is nothing at this size does no harm.
  if (size == kLargestSize && seconds_of(make(2 * size), use, 2) < kLeastSeconds) {
    return ::testing::AssertionSuccess();
  }
  const std::string small = make(size), large = make(2 * size);
  double ratio = 1e9;
  for (int round = 0; round < 3 && ratio > most_ratio; ++round) {  // the machine may have been busy
    ratio = std::min(ratio, times_as_long(small, large, use, 4));
  }
  if (ratio <= most_ratio) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "twice the size takes " << ratio << " times as long";
}

class LinearTime : public ::testing::TestWithParam<Hostile> {};

TEST_P(LinearTime, TwiceTheSizeCostsTwiceTheTime) {
  set_thread_count(1);
  EXPECT_TRUE(is_linear(GetParam().make, GetParam().use, GetParam().most_ratio));
}

INSTANTIATE_TEST_SUITE_P(Hostile, LinearTime, ::testing::ValuesIn(hostile_table()),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(LinearTime, WorkThatGrowsWithTheSquareIsNoticed) {
  volatile size_t sum = 0;
  const Use pairs = [&](const std::string& text) {
    for (size_t i = 0; i < text.size(); ++i) {
      for (size_t j = i; j < text.size(); j += 16) sum = sum + static_cast<size_t>(text[j]);
    }
  };
  EXPECT_FALSE(is_linear(all("a"), pairs));
}

TEST(LinearTime, KeysOfOneHashAreNoticed) {
  const Use bare = [](const std::string& text) {
    std::unordered_set<std::string> keys;
    constexpr size_t kBytes = testing::kCollidingTextBytes;
    for (size_t at = 0; at < text.size(); at += kBytes + 1) keys.insert(text.substr(at, kBytes));
  };
  EXPECT_FALSE(is_linear(colliding("", " "), bare));
}

// 100,000 answers of one context of 400,000 characters, all wrong, of each kind of search.
TEST(LinearTime, AHundredThousandWrongAnswersOfOneContextAreRepairedWithinSeconds) {
  for (const char* text : {"Ann, Bo ", "Ann,Bo ", "Anne", "e\u0301Ann "}) {
    std::string data = R"([{"context": ")" + repeat("Ann, Bo ", 400'000) + R"(", "qas": [)";
    for (int i = 0; i < 100'000; ++i) {
      data += fmt::format(R"({}{{"id": {}, "question": "q", "answers": [)"
                          R"({{"text": "{}", "answer_start": {}}}]}})",
                          i > 0 ? "," : "", i, text, 8 * (i % 50'000) + 3);
    }
    data += "]}]";
    EXPECT_LT(seconds_of(data, survey_and_fix, 1), 10.0) << text;
  }
}

TEST(LinearTime, AMegabyteWithoutSpacesIsTokenizedWithinASecond) {
  set_thread_count(1);
  for (const char* piece : {"a", "一", "e\u0301", "[SEP]", "."}) {
    EXPECT_LT(seconds_of(repeat(piece, 1'000'000), encode_bert, 3), 1.0) << piece;
  }
}

}  // namespace
}  // namespace spanforge
