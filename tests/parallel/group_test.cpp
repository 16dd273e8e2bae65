#include "spanforge/parallel/group.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <numeric>

#include "parallel/ranks.h"
#include "spanforge/parallel/together.h"

namespace spanforge {
namespace {

using testing::run_ranks;

class GroupOfRanks : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
  }
};
INSTANTIATE_TEST_SUITE_P(Sizes, GroupOfRanks, ::testing::Values(1, 2, 3, 8));

TEST_P(GroupOfRanks, MovesEveryByteToItsPlace) {
  run_ranks(GetParam(), [](Group& group) {
    const int n = group.size(), me = group.rank();
    EXPECT_EQ(group.on_this_host(), n);
    std::vector<int> from(static_cast<size_t>(n) * 5), to(from.size());
    for (int k = 0; k < n; ++k) std::fill_n(from.begin() + k * 5, 5, me * 100 + k);
    group.all_to_all(std::as_bytes(std::span(from)), std::as_writable_bytes(std::span(to)));
    for (int k = 0; k < n; ++k) EXPECT_EQ(to[static_cast<size_t>(k) * 5 + 4], k * 100 + me);

    std::vector<int> ranks(static_cast<size_t>(n));
    std::iota(ranks.begin(), ranks.end(), 0);
    EXPECT_EQ(group.all_gather_value(me), ranks);

    double word = me == n - 1 ? 2.5 : 0;
    group.broadcast(std::as_writable_bytes(std::span(&word, 1)), n - 1);
    EXPECT_EQ(word, 2.5);

    // Pieces of different sizes, one of them empty.
    const std::string mine(static_cast<size_t>(me) * 3, static_cast<char>('a' + me));
    std::vector<std::string> texts;
    std::vector<Bytes> in;
    for (int k = 0; k < n; ++k) texts.emplace_back(static_cast<size_t>(k) * 3, ' ');
    for (auto& text : texts) in.push_back(std::as_writable_bytes(std::span(text)));
    group.gather(std::as_bytes(std::span(mine)), in);
    if (group.leads()) {
      for (int k = 0; k < n; ++k) {
        EXPECT_EQ(texts[static_cast<size_t>(k)],
                  std::string(static_cast<size_t>(k) * 3, static_cast<char>('a' + k)));
      }
    }
    group.barrier();
    EXPECT_EQ(gather_texts(group, mine).back().size(), static_cast<size_t>(n - 1) * 3);
  });
}

TEST_P(GroupOfRanks, WorksTogetherAndFailsTogether) {
  std::atomic<int> done{0};
  run_ranks(GetParam(), [&](Group& group) {
    work_together(group, [&] { ++done; });
    EXPECT_EQ(done, group.size());
    // All are done before any starts with the next.
    group.barrier();
    const int failing = group.size() - 1;
    const Error error = testing::expect_error(ErrorCode::kBadData, [&] {
      work_together(group, [&] {
        if (group.rank() == failing) throw Error(ErrorCode::kBadData, std::string("f"), "is bad");
      });
    });
    if (group.rank() == failing) {
      EXPECT_EQ(error.file(), "f");
    } else {
      EXPECT_EQ(error.where(), "rank " + std::to_string(failing));
      EXPECT_EQ(error.reason(), "f: is bad");
    }
  });
}

// Work may take longer than the deadline; a rank that says nothing may not.
TEST_P(GroupOfRanks, WaitsForARankThatWorksAndNotForOneThatIsSilent) {
  std::atomic<bool> noticed{false};
  run_ranks(GetParam() + 1, [&](Group& group) {
    group.set_deadline(std::chrono::milliseconds(1500));
    work_together(group, [&] {
      if (group.leads()) std::this_thread::sleep_for(std::chrono::milliseconds(3200));
    });
    group.set_deadline(std::chrono::milliseconds(300));
    if (group.leads()) {  // silent until the others have noticed
      while (!noticed) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      return;
    }
    const Error error = testing::expect_error(ErrorCode::kPeerLost, [&] { group.barrier(); });
    EXPECT_TRUE(error.where().starts_with("rank ")) << error.what();
    noticed = true;
  });
}

TEST_P(GroupOfRanks, NoticesARankThatIsGone) {
  run_ranks(GetParam() + 1, [&](Group& group) {
    if (group.rank() == 1) return;  // its connections end here
    const auto begin = std::chrono::steady_clock::now();
    testing::expect_error(ErrorCode::kPeerLost, [&] { group.barrier(); });
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  });
}

std::atomic<int> pipe_signals{0};

// A program that uses the library need not ignore SIGPIPE, and would be ended by it.
TEST(GroupThatLostARank, RaisesNoSignal) {
  if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
  pipe_signals = 0;
  const auto old_handler = std::signal(SIGPIPE, [](int) { ++pipe_signals; });
  for (int i = 0; i < 15; ++i) {  // each time, some rank may write to a connection that is gone
    run_ranks(9, [](Group& group) {
      if (group.rank() == 1) return;
      testing::expect_error(ErrorCode::kPeerLost, [&] { group.barrier(); });
    });
  }
  std::signal(SIGPIPE, old_handler);
  EXPECT_EQ(pipe_signals, 0);
}

}  // namespace
}  // namespace spanforge
