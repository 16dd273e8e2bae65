// Checkpoints that are written while training goes on, and what other threads change in them.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "spanforge/base/hash.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "spanforge/model/model.h"
#include "spanforge/train/output_directory.h"
#include "spanforge/train/train_state.h"
#include "threads/together.h"
#include "train/fixture.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::Recorder;
using testing::TemporaryDirectory;
using testing::together;

std::string sum_of(const TrainableModel& model) {
  const Tensor weights = model.all_weights();
  return sha256_hex({reinterpret_cast<const char*>(weights.data),
                     static_cast<size_t>(weights.size()) * sizeof(float)});
}

class SavingBehind : public testing::TrainFixture {
 protected:
  TrainingArguments every_step(const std::string& output) const {
    TrainingArguments a = arguments(output);
    a.threads = 3;
    a.validation = at("validation.json");
    a.save_steps = 1.0;
    a.eval_steps = 3.0;
    a.eval_strategy = IntervalStrategy::kSteps;
    a.save_strategy = SaveStrategy::kSteps;
    a.logging_steps = 1.0;
    return a;
  }
  ~SavingBehind() override { set_thread_count(before_); }

 private:
  int before_ = thread_count();
};

TEST_F(SavingBehind, EveryStepsCheckpointIsTheStateOfItsStep) {
  // The weights at the end of each step, before the next step changed them.
  struct Keeper : Observer {
    void on_step_end(const TrainView& view) override { sums.push_back(sum_of(view.model)); }
    std::vector<std::string> sums;
  } keeper;
  Recorder recorder;
  train(every_step("out"), {.observers = {&keeper, &recorder}});
  ASSERT_EQ(recorder.saves.size(), 12u);
  for (const int64_t step : checkpoint_steps(at("out"))) {
    SCOPED_TRACE(step);
    const auto directory = at("out") / checkpoint_name(step);
    EXPECT_EQ(find_manifest_difference(directory), std::nullopt);
    EXPECT_EQ(sum_of(QuestionAnsweringModel::load(directory, 1)),
              keeper.sums[static_cast<size_t>(step - 1)]);
  }
}

TEST_F(SavingBehind, RotationGoesOnBesideTheWriting) {
  TrainingArguments a = every_step("out");
  a.save_total_limit = 2;
  EXPECT_EQ(train(a).global_step, 12);
  EXPECT_EQ(checkpoint_steps(at("out")).size(), 2u);
  for (const int64_t step : checkpoint_steps(at("out"))) {
    EXPECT_EQ(find_manifest_difference(at("out") / checkpoint_name(step)), std::nullopt);
  }
}

TEST_F(SavingBehind, AStopRequestMayComeFromAnotherThread) {
  struct Signal : Observer {
    void on_step_end(const TrainView& view) override { step = view.state.global_step; }
    std::atomic<int64_t> step = 0;
  } seen;
  std::atomic<bool> stop = false;
  std::jthread asker([&] {
    while (seen.step < 4) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    stop = true;
  });
  TrainingArguments a = every_step("out");
  a.num_train_epochs = 500.0;
  a.save_total_limit = 2;
  expect_error(ErrorCode::kInterrupted, [&] { train(a, {.observers = {&seen}, .stop = &stop}); });
  EXPECT_EQ(
      find_manifest_difference(at("out") / checkpoint_name(checkpoint_steps(at("out")).back())),
      std::nullopt);
}

TEST(OutputDirectory, IsAskedWhileTheOtherThreadWrites) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  std::string weights(3 << 20, 'a');
  for (int64_t step = 1; step <= 5; ++step) {
    output.begin(checkpoint_name(step), 0,
                 [&](DirectoryWriter& writer) { writer.write("weights", weights); });
    output.finish([](DirectoryWriter& writer) { writer.write("state", "s"); });
    output.wait_until_filled();
    std::fill(weights.begin(), weights.end(), static_cast<char>('a' + step));
    while (output.busy()) std::this_thread::yield();
    output.wait();
    EXPECT_EQ(read_file(directory / "out" / checkpoint_name(step) / "weights")[0],
              static_cast<char>('a' + step - 1));
  }
}

TEST(DirectoryWriter, TakesTheFilesOfManyThreads) {
  TemporaryDirectory directory;
  DirectoryWriter writer(directory.path());
  together(6, [&](size_t thread) {
    for (size_t i = 0; i < 8; ++i) {
      const size_t size =
          i == 0 ? (size_t{9} << 20) : 100;  // some go through the background writer
      writer.write(std::to_string(thread) + "-" + std::to_string(i),
                   std::string(size, static_cast<char>('a' + thread)));
    }
  });
  const std::vector<WrittenFile> files = writer.written();
  EXPECT_EQ(files.size(), 48u);
  for (const WrittenFile& file : files) EXPECT_EQ(file.sha256, sha256_hex(read_file(file.path)));
}

}  // namespace
}  // namespace spanforge
