// Threads of a server call pipelines: how many threads that makes, and that answers do not depend
// on it.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <iterator>
#include <thread>

#include "spanforge/base/threads.h"
#include "spanforge/evaluation/evaluate.h"
#include "spanforge/inference/pipeline.h"
#include "threads/together.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::together;

constexpr size_t kCallers = 8;

size_t threads_of_this_process() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                                           std::filesystem::directory_iterator()));
}

// Raises `most` to the number of threads seen, until it is stopped.
class Watcher {
 public:
  Watcher()
      : thread_([this](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            most_ = std::max(most_.load(), threads_of_this_process());
            std::this_thread::yield();
          }
        }) {}
  size_t most() {
    thread_.request_stop();
    thread_.join();
    return most_;
  }

 private:
  std::atomic<size_t> most_ = 0;
  std::jthread thread_;
};

class Sharing : public testing::TrainFixture {
 protected:
  static std::vector<QuestionContext> questions() {
    std::vector<QuestionContext> all;
    for (const char* person : {"anna", "bruno", "clara"}) {
      std::string context;
      for (int i = 0; i < 30; ++i) context += std::string(person) + " sat in the market. ";
      all.push_back({"where is " + std::string(person) + "?", context, person});
    }
    return all;
  }
  // Eight threads, half of them with each pipeline. Returns the largest number of threads.
  size_t ask_together(const Pipeline& one, const Pipeline& other) {
    const auto expected = one.answer(questions());
    Watcher watcher;
    together(kCallers, [&](size_t i) {
      for (int round = 0; round < 5; ++round) {
        const auto got = (i % 2 == 0 ? one : other).answer(questions());
        ASSERT_EQ(got.size(), expected.size());
        for (size_t q = 0; q < got.size(); ++q) {
          EXPECT_EQ(got[q][0].answer, expected[q][0].answer);
          EXPECT_EQ(got[q][0].score, expected[q][0].score);  // to the bit
        }
      }
    });
    return watcher.most();
  }
};

TEST_F(Sharing, PipelinesOfOneThreadStartNone) {
  const Pipeline one = Pipeline::from_directory(at("model"), Precision::kF32, nullptr, 1);
  const Pipeline other = Pipeline::from_directory(at("model"), Precision::kF32, nullptr, 1);
  const size_t before = threads_of_this_process();
  const size_t most = ask_together(one, other);
  EXPECT_GE(most, before + 1);  // the watcher counted itself
  EXPECT_LE(most, before + 1 + kCallers);
}

TEST_F(Sharing, PipelinesOfManyThreadsTakeTurns) {
  constexpr size_t kTeam = 3;
  const Pipeline one = Pipeline::from_directory(at("model"), Precision::kF32, nullptr, kTeam);
  const Pipeline other = Pipeline::from_directory(at("model"), Precision::kF32, nullptr, kTeam);
  one.answer(questions());  // makes the calling thread's team, which stays
  const size_t before = threads_of_this_process();
  const auto cores = static_cast<size_t>(resolve_thread_count(0));
  const size_t teams = std::max<size_t>(1, cores / kTeam);
  EXPECT_LE(ask_together(one, other), before + 1 + kCallers + teams * (kTeam - 1));
}

TEST_F(Sharing, ACallLeavesTheCallersNumberOfThreads) {
  const ThreadScope scope(3);
  Pipeline::from_directory(at("model"), Precision::kF32, nullptr, 2).answer(questions());
  EXPECT_EQ(thread_count(), 3);
  TrainingArguments arguments = this->arguments("out");
  arguments.threads = 2;
  train(arguments);
  EXPECT_EQ(thread_count(), 3);
}

TEST(Turn, IsGivenToOneLargeTeamAfterTheOther) {
  std::atomic<int> inside = 0;
  together(kCallers, [&](size_t) {
    const ThreadScope scope(1024);  // more than there are cores: no other thread computes
    for (int round = 0; round < 50; ++round) {
      const Turn turn;
      const Turn nested;  // does not wait for the first
      EXPECT_EQ(++inside, 1);
      --inside;
    }
  });
}

TEST(Turn, OfOneThreadNeverWaits) {
  const ThreadScope scope(2);
  const Turn turn;
  together(kCallers, [&](size_t) {
    const ThreadScope alone(1);
    const Turn at_once;
    parallel_for(100, 1, [](int64_t) {});
  });
}

}  // namespace
}  // namespace spanforge
