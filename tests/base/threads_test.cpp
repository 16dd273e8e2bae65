#include "spanforge/base/threads.h"

#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge {
namespace {

TEST(Threads, AScopeRestoresTheNumber) {
  const int before = thread_count();
  {
    const ThreadScope outer(3);
    EXPECT_EQ(thread_count(), 3);
    const ThreadScope inner(1);
    EXPECT_EQ(thread_count(), 1);
  }
  EXPECT_EQ(thread_count(), before);
}

TEST(ThreadCount, IsTheNumberThatWasSet) {
  const int before = thread_count();
  EXPECT_EQ(set_thread_count(3), 3);
  EXPECT_EQ(thread_count(), 3);
  EXPECT_GE(set_thread_count(0), 1);
  set_thread_count(before);
}

// A limit like OMP_MAX_ACTIVE_LEVELS=0 or OMP_THREAD_LIMIT, which only the environment can set.
TEST(ThreadCount, IsNotMoreThanOpenMPGives) {
  const int before = thread_count(), levels = omp_get_max_active_levels();
  set_thread_count(3);
  omp_set_max_active_levels(0);
  EXPECT_EQ(thread_count(), 1);
  EXPECT_EQ(set_thread_count(0), 1);
  EXPECT_EQ(testing::expect_error(ErrorCode::kUsage, [] { set_thread_count(2); }).parameter(),
            "threads");
  omp_set_max_active_levels(levels);
  set_thread_count(before);
}

TEST(ParallelFor, CallsEachIndexOnce) {
  for (const int64_t n : {0, 1, 7, 1000}) {
    for (const int64_t grain : {0, 1, 3, 5000}) {
      std::vector<std::atomic<int>> calls(static_cast<size_t>(n));
      parallel_for(n, grain, [&](int64_t i) { ++calls[static_cast<size_t>(i)]; });
      ASSERT_EQ(std::count(calls.begin(), calls.end(), 1), n);
    }
  }
}

TEST(ParallelFor, RethrowsTheFailureOfTheLowestIndex) {
  for (int round = 0; round < 50; ++round) {
    try {
      parallel_for(1000, 1, [](int64_t i) {
        if (i % 100 == 37) throw std::runtime_error(std::to_string(i));
      });
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "37");
    }
  }
}

// The parent's team is not there in the child, and OpenMP would wait for it.
TEST(Forks, AChildComputesWithOneThread) {
  const ThreadScope scope(2);
  std::atomic<int> done = 0;
  parallel_for(8, 1, [&](int64_t) { ++done; });
  watch_forks();
  EXPECT_FALSE(is_forked_child());
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);  // a child that waits ends by a signal
    const ThreadScope inner(2);
    parallel_for(8, 1, [&](int64_t) { ++done; });
    ::_exit(is_forked_child() && thread_count() == 1 && done == 16 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(thread_count(), 2);
}

}  // namespace
}  // namespace spanforge
