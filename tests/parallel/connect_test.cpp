#include "spanforge/parallel/connect.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>

#include "parallel/boards.h"

namespace spanforge {
namespace {

class Connecting : public testing::OnEachBoard {
 protected:
  void SetUp() override {
    if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
    OnEachBoard::SetUp();
  }
  ~Connecting() override {
    for (const pid_t process : processes_) kill_process(process);
  }
  ConnectOptions options(int milliseconds) const {
    return {.rendezvous = rendezvous(),
            .meeting_deadline = std::chrono::milliseconds(milliseconds)};
  }
  // Another process, as a thread, which meets the others.
  void come(int rank, int size) {
    threads_.emplace_back([this, rank, size] {
      connect_group({.rank = rank, .size = size}, options(30'000))->barrier();
      ++met_;
    });
  }
  int count_met() {  // when all have ended
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    return met_;
  }
  int met_until_now() const { return met_; }
  // A process of its own, which can be killed. REQUIRES: no other thread runs.
  pid_t come_to_be_killed(int rank, int size) {
    const pid_t process = ::fork();
    if (process == 0) {
      try {
        connect_group({.rank = rank, .size = size}, options(60'000));
      } catch (const Error&) {
      }
      ::_exit(0);
    }
    processes_.push_back(process);
    return process;
  }
  void kill_process(pid_t process) {
    ::kill(process, SIGKILL);
    ::waitpid(process, nullptr, 0);
  }
  // The names of the entries that rank 0's folder has; empty: there is no folder.
  std::vector<std::string> those_who_came() const {
    const auto board = make_board();
    const auto folder = board->read("start-0");
    return folder ? board->living(*folder, "rank-") : std::vector<std::string>();
  }

 private:
  std::atomic<int> met_{0};
  std::vector<std::thread> threads_;
  std::vector<pid_t> processes_;
};
INSTANTIATE_TEST_SUITE_P(Boards, Connecting, ::testing::Values("directory", "redis"),
                         testing::board_name);

TEST_P(Connecting, RanksMeetAndLeaveNothing) {
  for (const int size : {2, 3, 4}) {
    for (int rank = size - 1; rank >= 0; --rank) come(rank, size);
    count_met();
    EXPECT_TRUE(is_empty()) << size;
  }
  EXPECT_EQ(count_met(), 9);
}

TEST_P(Connecting, NamesTheRanksThatDidNotCome) {
  const Error error = testing::expect_error(
      ErrorCode::kPeerLost, [&] { connect_group({.rank = 0, .size = 4}, options(100)); });
  EXPECT_NE(error.reason().find("ranks 1, 2, 3"), std::string::npos) << error.what();
  EXPECT_TRUE(is_empty());  // nothing stays
  testing::expect_error(ErrorCode::kPeerLost,
                        [&] { connect_group({.rank = 1, .size = 2}, options(100)); });
}

TEST_P(Connecting, IgnoresWhatKilledStartsLeft) {
  const pid_t one = come_to_be_killed(1, 3), zero = come_to_be_killed(0, 3);
  ASSERT_TRUE(comes_true([&] { return those_who_came().size() == 2; }));
  kill_process(one);
  kill_process(zero);
  come(1, 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  come(0, 2);
  EXPECT_EQ(count_met(), 2);
  EXPECT_TRUE(is_empty());
}

TEST_P(Connecting, TakesAnotherProcessForOneThatWasKilledWhileItWaited) {
  const pid_t one = come_to_be_killed(1, 3);
  come(0, 3);
  ASSERT_TRUE(comes_true([&] { return those_who_came().size() == 2; }));
  kill_process(one);
  come(1, 3);
  come(2, 3);
  EXPECT_EQ(count_met(), 3);
  EXPECT_TRUE(is_empty());
}

TEST_P(Connecting, TakesAnotherProcessForOneThatLeft) {
  come(0, 3);
  testing::expect_error(ErrorCode::kPeerLost,
                        [&] { connect_group({.rank = 1, .size = 3}, options(500)); });
  come(1, 3);
  come(2, 3);
  EXPECT_EQ(count_met(), 3);
}

TEST_P(Connecting, ASecondStartWaitsForTheFirst) {
  come(0, 2);
  ASSERT_TRUE(comes_true([&] { return those_who_came().size() == 1; }));
  come(0, 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(those_who_came().size(), 1u);  // the second one's rank 0 is not there
  come(1, 2);
  ASSERT_TRUE(comes_true([&] { return met_until_now() == 2; }));
  come(1, 2);
  EXPECT_EQ(count_met(), 4);
  EXPECT_TRUE(is_empty());
}

TEST_P(Connecting, RefusesTwoProcessesOfOneRank) {
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  const auto come_in_vain = [&](int rank) {
    threads.emplace_back([&, rank] {
      try {
        connect_group({.rank = rank, .size = 3}, options(20'000));
      } catch (const Error& error) {
        refused += error.code() == ErrorCode::kUsage && error.parameter() == "rendezvous";
      }
    });
  };
  for (const int rank : {0, 1, 1}) come_in_vain(rank);
  EXPECT_TRUE(comes_true([&] { return those_who_came().size() == 3; }));
  come_in_vain(2);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused, 4);
}

TEST_P(Connecting, StopsWhenAsked) {
  ConnectOptions stopped = options(20'000);
  const std::atomic<bool> stop = true;
  stopped.stop = &stop;
  testing::expect_error(ErrorCode::kInterrupted,
                        [&] { connect_group({.rank = 0, .size = 2}, stopped); });
  EXPECT_TRUE(is_empty());
}

class ConnectingInADirectory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (group_engine().empty()) GTEST_SKIP() << testing::kNoEngine;
  }
};

TEST_F(ConnectingInADirectory, RemovesFilesOfEarlierStarts) {
  const testing::TemporaryDirectory directory;
  // A start whose ranks all were there and are dead: files without locks.
  fs::create_directories(directory / "spanforge-old");
  for (const char* name : {"rank-0-a", "rank-1-b"}) {
    std::ofstream(directory / "spanforge-old" / name) << "host\nlo\n";
  }
  std::ofstream(directory / "spanforge-start-0") << "old";
  std::ofstream(directory / "mine") << "stays";
  std::vector<std::thread> threads;
  for (const int rank : {1, 0}) {
    threads.emplace_back([&, rank] {
      connect_group({.rank = rank, .size = 2}, {.rendezvous = directory.path().string()});
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(list_directory(directory.path()), std::vector<std::string>{"mine"});
}

TEST_F(ConnectingInADirectory, NamesInterfacesThatAreNotThere) {
  const Error error = testing::expect_error(ErrorCode::kUsage, [&] {
    connect_group({.rank = 0, .size = 2}, {.rendezvous = "meet", .interface = "nowhere0"});
  });
  EXPECT_EQ(error.parameter(), "interface");
  EXPECT_NE(error.reason().find("lo"), std::string::npos);
}

}  // namespace
}  // namespace spanforge
