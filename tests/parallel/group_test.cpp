#include "spanforge/parallel/group.h"

#include <atomic>
#include <cstring>
#include <fstream>
#include <numeric>

#include "parallel/ranks.h"
#include "spanforge/io/file.h"
#include "spanforge/parallel/together.h"

namespace spanforge {
namespace {

using testing::run_ranks;
using testing::TemporaryDirectory;

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

class Connecting : public ::testing::Test {
 protected:
  void SetUp() override {
    if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
  }
  ConnectOptions options(int milliseconds) const {
    return {.rendezvous = (directory / "meet").string(),
            .meeting_deadline = std::chrono::milliseconds(milliseconds)};
  }
  // Another process, as a thread, which meets the others.
  void come(int rank, int size) {
    threads_.emplace_back([this, rank, size] {
      connect_group({.rank = rank, .size = size}, options(20'000))->barrier();
      ++met_;
    });
  }
  int count_met() {  // when all have ended
    for (std::thread& thread : threads_) thread.join();
    return met_;
  }
  TemporaryDirectory directory;

 private:
  std::atomic<int> met_{0};
  std::vector<std::thread> threads_;
};

TEST_F(Connecting, NamesTheRanksThatDidNotCome) {
  const Error error = testing::expect_error(
      ErrorCode::kPeerLost, [&] { connect_group({.rank = 0, .size = 4}, options(100)); });
  EXPECT_NE(error.reason().find("ranks 1, 2, 3"), std::string::npos) << error.what();
  EXPECT_TRUE(list_directory(directory / "meet").empty());  // nothing stays
  testing::expect_error(ErrorCode::kPeerLost,
                        [&] { connect_group({.rank = 1, .size = 2}, options(100)); });
}

TEST_F(Connecting, IgnoresWhatKilledStartsLeft) {
  // A start whose ranks all were there and are dead: files without locks.
  fs::create_directories(directory / "meet/spanforge-old");
  for (const char* name : {"rank-0-a", "rank-1-b"}) {
    std::ofstream(directory / "meet/spanforge-old" / name) << "host\nlo\n";
  }
  const auto find_name = [&] {  // the file that names the folder
    for (const std::string& name : list_directory(directory / "meet")) {
      if (name.starts_with("spanforge-start-")) return directory / "meet" / name;
    }
    return fs::path();
  };
  come(1, 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(find_name(), fs::path());
  come(0, 2);
  EXPECT_EQ(count_met(), 2);
  EXPECT_TRUE(list_directory(directory / "meet").empty());
}

TEST_F(Connecting, TakesAnotherProcessForOneThatDiedWhileItWaited) {
  come(0, 3);
  // Its file stays, and its lock ends with it.
  testing::expect_error(ErrorCode::kPeerLost,
                        [&] { connect_group({.rank = 1, .size = 3}, options(500)); });
  come(1, 3);
  come(2, 3);
  EXPECT_EQ(count_met(), 3);
}

TEST_F(Connecting, RefusesTwoProcessesOfOneRank) {
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (const int rank : {1, 1, 2}) {
    threads.emplace_back([&, rank] {
      try {
        connect_group({.rank = rank, .size = 3}, options(20'000));
      } catch (const Error& error) {
        refused += error.code() == ErrorCode::kUsage && error.parameter() == "rendezvous";
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  threads.emplace_back([&] {
    try {
      connect_group({.rank = 0, .size = 3}, options(20'000));
    } catch (const Error& error) {
      refused += error.code() == ErrorCode::kUsage;
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(refused, 2);
}

TEST_F(Connecting, NamesInterfacesThatAreNotThere) {
  ConnectOptions wrong = options(100);
  wrong.interface = "nowhere0";
  const Error error = testing::expect_error(ErrorCode::kUsage,
                                            [&] { connect_group({.rank = 0, .size = 2}, wrong); });
  EXPECT_EQ(error.parameter(), "interface");
  EXPECT_NE(error.reason().find("lo"), std::string::npos);
}

TEST_F(Connecting, StopsWhenAsked) {
  ConnectOptions stopped = options(20'000);
  const std::atomic<bool> stop = true;
  stopped.stop = &stop;
  testing::expect_error(ErrorCode::kInterrupted,
                        [&] { connect_group({.rank = 0, .size = 2}, stopped); });
}

}  // namespace
}  // namespace spanforge
