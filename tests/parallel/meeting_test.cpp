#include "spanforge/parallel/meeting.h"

#include <unistd.h>

#include <array>
#include <atomic>

#include "parallel/boards.h"

namespace spanforge {
namespace {

using std::chrono::milliseconds;

class MeetingOnABoard : public testing::OnEachBoard {
 protected:
  std::unique_ptr<Meeting> meet(int rank, int size, int deadline = 20'000,
                                const std::atomic<bool>* stop = nullptr) const {
    return std::make_unique<Meeting>(
        Launch{.rank = rank, .size = size}, make_board(),
        MeetingOptions{.interface = "lo", .deadline = milliseconds(deadline), .stop = stop});
  }
  // Runs rank 0 here and rank 1 on another thread.
  void meet_two(const std::function<void(Meeting&)>& zero, const std::function<void(Meeting&)>& one,
                int deadline = 20'000, const std::atomic<bool>* stop = nullptr) const {
    std::thread other([&] {
      const auto meeting = meet(1, 2);
      one(*meeting);
    });
    const auto meeting = meet(0, 2, deadline, stop);
    zero(*meeting);
    other.join();
  }
};
INSTANTIATE_TEST_SUITE_P(Boards, MeetingOnABoard, ::testing::Values("directory", "redis"),
                         testing::board_name);

TEST_P(MeetingOnABoard, CarriesWhatTheEngineSays) {
  const std::string bytes("a\0/b\r\n\xff", 7);
  std::atomic<bool> done{false};
  meet_two(
      [&](Meeting& meeting) {
        EXPECT_EQ(meeting.on_this_host(), 2);
        meeting.put("rank/0 ../x", bytes);
        EXPECT_EQ(meeting.wait_for("1", milliseconds(5000)), std::string(300'000, 'x'));
        meeting.put("empty", "");
        EXPECT_TRUE(comes_true([&] { return done.load(); }));
      },
      [&](Meeting& meeting) {
        EXPECT_EQ(meeting.wait_for("rank/0 ../x", milliseconds(5000)), bytes);
        meeting.put("1", std::string(300'000, 'x'));
        EXPECT_EQ(meeting.wait_for("empty", milliseconds(5000)), "");
        done = true;
      });
  EXPECT_TRUE(is_empty());
}

TEST_P(MeetingOnABoard, WaitsForTheEngineNoLongerThanAskedAndThanTheDeadline) {
  std::atomic<bool> done{false};
  const auto waits_for_rank_0 = [&](Meeting&) {
    EXPECT_TRUE(comes_true([&] { return done.load(); }));
  };
  const auto begin = std::chrono::steady_clock::now();
  meet_two(
      [&](Meeting& meeting) {
        testing::expect_error(ErrorCode::kPeerLost,
                              [&] { meeting.wait_for("x", milliseconds(200)); });
        EXPECT_LE(meeting.left(), milliseconds(1500));
        testing::expect_error(ErrorCode::kPeerLost,
                              [&] { meeting.wait_for("x", milliseconds(60'000)); });
        EXPECT_EQ(meeting.left(), milliseconds(1));
        done = true;
      },
      waits_for_rank_0, 1500);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_P(MeetingOnABoard, StopsWaitingForTheEngineWhenAsked) {
  std::atomic<bool> stop{false}, done{false};
  meet_two(
      [&](Meeting& meeting) {
        stop = true;
        testing::expect_error(ErrorCode::kInterrupted,
                              [&] { meeting.wait_for("x", milliseconds(20'000)); });
        done = true;
      },
      [&](Meeting&) { EXPECT_TRUE(comes_true([&] { return done.load(); })); }, 20'000, &stop);
}

TEST_P(MeetingOnABoard, NoticesARankThatEndsBeforeItConnects) {
  meet_two(
      [&](Meeting& meeting) {
        const Error error = testing::expect_error(
            ErrorCode::kPeerLost, [&] { meeting.wait_for("x", milliseconds(20'000)); });
        EXPECT_EQ(error.where(), "rank 1");
      },
      [](Meeting&) {});
}

// Another process comes to rank 0 of two ranks with this entry, and waits for the answer.
TEST_P(MeetingOnABoard, RefusesOtherStartsRanksAndHostsThatLoopbackDoesNotConnect) {
  struct Row {
    const char *entry, *host, *parameter, *reason;
  };
  std::array<char, 256> here{};
  ::gethostname(here.data(), here.size() - 1);
  for (const Row& row :
       {Row{"rank-1-x", "elsewhere", "interface", "rank 1 on elsewhere"},
        Row{"rank-2-x", here.data(), "rendezvous", "holds rank 2 of another start"}}) {
    SCOPED_TRACE(row.entry);
    std::thread other([&] {
      const auto board = make_board();
      std::string folder;
      EXPECT_TRUE(comes_true([&] {
        folder = board->read("start-0").value_or("");
        return !folder.empty() &&
               board->hold(folder + "/" + row.entry, row.host + std::string("\nlo\n"));
      }));
      EXPECT_TRUE(comes_true([&] { return board->read(folder + "/answer").has_value(); }));
    });
    const Error error = testing::expect_error(ErrorCode::kUsage, [&] { meet(0, 2); });
    EXPECT_EQ(error.parameter(), row.parameter);
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.what();
    other.join();
    make_board()->remove_all();
  }
}

}  // namespace
}  // namespace spanforge
