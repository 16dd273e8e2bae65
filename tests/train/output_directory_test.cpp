#include "spanforge/train/output_directory.h"

#include <thread>

#include "spanforge/formats/manifest.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

void put(const fs::path& directory, const std::string& text) {
  write_file_atomic(directory / "file", text);
}

TEST(CheckpointsToRemove, KeepsNewestAndBest) {
  using Steps = std::vector<int64_t>;
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30}, 2, 30, std::nullopt), (Steps{10}));
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30}, 2, 30, 10), (Steps{20}));
  EXPECT_EQ(checkpoints_to_remove({10, 20, 30}, 1, 30, 10), (Steps{20}));
  EXPECT_EQ(checkpoints_to_remove({100, 20, 3}, 1, 100, 100), (Steps{3, 20}));
  EXPECT_EQ(checkpoints_to_remove({10}, 1, 10, std::nullopt), Steps{});
}

TEST(OutputDirectory, TouchesNothingBeforeCreate) {
  TemporaryDirectory directory;
  { OutputDirectory output(directory / "new"); }
  EXPECT_FALSE(fs::exists(directory / "new"));
}

TEST(OutputDirectory, PublishesWholeDirectoriesWithAManifest) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  output.publish("checkpoint-5", 0, [](DirectoryWriter& writer) { writer.write("file", "five"); });
  output.publish("checkpoint-5", 0, [](DirectoryWriter& writer) { writer.write("file", "again"); });
  EXPECT_EQ(read_file(directory / "out/checkpoint-5/file"), "again");
  EXPECT_EQ(find_manifest_difference(directory / "out/checkpoint-5"), std::nullopt);
  EXPECT_EQ(output.checkpoints(), (std::vector<int64_t>{5}));
  EXPECT_EQ(std::distance(fs::directory_iterator(directory / "out"), {}), 1);
}

TEST(OutputDirectory, LeavesTheOldOneWhenFillingFails) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  output.publish("trained", 0, [](DirectoryWriter& writer) { writer.write("file", "old"); });
  EXPECT_THROW(output.publish("trained", 0,
                              [](DirectoryWriter& writer) {
                                writer.write("file", "new");
                                throw std::runtime_error("full");
                              }),
               std::runtime_error);
  EXPECT_EQ(read_file(directory / "out/trained/file"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory / "out"), {}), 1);
}

void put_small(DirectoryWriter& writer) { writer.write("small", "small"); }

// Both found the place free before either created it.
TEST(OutputDirectory, DoesNotReplaceWhatAnotherProcessMadeMeanwhile) {
  TemporaryDirectory directory;
  OutputDirectory late(directory / "out");
  {
    OutputDirectory first(directory / "out");
    first.create();
    first.publish("trained", 0, [](DirectoryWriter& writer) { writer.write("file", "first"); });
  }
  const Error error = expect_error(ErrorCode::kUsage, [&] { late.create(); });
  EXPECT_EQ(error.parameter(), "output");
  EXPECT_EQ(read_file(directory / "out/trained/file"), "first");
}

TEST(OutputDirectory, ReplacesNoFileOfACheckpointsName) {
  for (const char* name : {"checkpoint-2", "trained"}) {
    TemporaryDirectory directory;
    fs::create_directory(directory / "out");
    write_file_atomic(directory / "out" / name, "notes");
    OutputDirectory output(directory / "out");
    EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { output.create(); }).file(),
              (directory / "out" / name).string());
    EXPECT_EQ(read_file(directory / "out" / name), "notes");
  }
}

TEST(OutputDirectory, WritesBehindTheCaller) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  std::string weights(1 << 20, 'a');
  const auto put_weights = [&](DirectoryWriter& writer) { writer.write("file", weights); };
  output.begin("checkpoint-1", 0, put_weights);
  EXPECT_TRUE(output.begun("checkpoint-1"));
  EXPECT_FALSE(output.begun("checkpoint-2"));
  output.finish(put_small);
  EXPECT_FALSE(output.begun("checkpoint-1"));
  output.wait_until_filled();
  weights.assign(weights.size(), 'b');  // training goes on
  output.begin("checkpoint-2", 0, put_weights);
  EXPECT_EQ(output.checkpoints().front(), 1) << "the second waits for the first";
  output.finish(put_small);
  output.wait();
  EXPECT_FALSE(output.busy());
  EXPECT_EQ(read_file(directory / "out/checkpoint-1/file"), std::string(1 << 20, 'a'));
  EXPECT_EQ(read_file(directory / "out/checkpoint-2/file"), weights);
  EXPECT_EQ(read_file(directory / "out/checkpoint-2/small"), "small");
  EXPECT_EQ(find_manifest_difference(directory / "out/checkpoint-2"), std::nullopt);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory / "out"), {}), 2);
}

TEST(OutputDirectory, FilledIsNotInPlaceBeforeItIsFinished) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  output.begin("checkpoint-1", 0, [](DirectoryWriter& writer) { writer.write("file", "one"); });
  output.wait_until_filled();
  EXPECT_TRUE(output.checkpoints().empty());
  output.wait();  // without finish() it is discarded
  EXPECT_TRUE(fs::is_empty(directory / "out"));
}

TEST(OutputDirectory, TellsWhatFailedBehindTheCaller) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  output.publish("checkpoint-1", 0, [](DirectoryWriter& writer) { writer.write("file", "old"); });
  const auto full = [](DirectoryWriter& writer) {
    throw Error(ErrorCode::kIo, (writer.directory() / "file").string(), "cannot write: disk full");
  };
  const auto expect_told = [&](const auto& call) {
    const Error error = expect_error(ErrorCode::kIo, call);
    EXPECT_EQ(error.file(), (directory / "out/checkpoint-1/file").string());
    EXPECT_EQ(error.reason(), "cannot write: disk full");
    output.wait();  // throws the error once
    EXPECT_EQ(read_file(directory / "out/checkpoint-1/file"), "old");
  };
  output.begin("checkpoint-1", 0, full);
  expect_told([&] { output.wait_until_filled(); });
  output.begin("checkpoint-1", 0, full);
  expect_told([&] { output.wait(); });
  output.begin("checkpoint-1", 0, full);
  expect_told([&] {
    while (output.busy()) std::this_thread::yield();
    output.finish(put_small);  // too late
  });
  output.publish("checkpoint-1", 0, [](DirectoryWriter& writer) { writer.write("file", "new"); });
  EXPECT_EQ(read_file(directory / "out/checkpoint-1/file"), "new");
}

TEST(OutputDirectory, GivesUpWhenTheCallersPartFails) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  output.begin("checkpoint-1", 0, [](DirectoryWriter& writer) { writer.write("file", "one"); });
  const Error error = expect_error(ErrorCode::kIo, [&] {
    output.finish([](DirectoryWriter& writer) {
      throw Error(ErrorCode::kIo, (writer.directory() / "small").string(), "full");
    });
  });
  EXPECT_EQ(error.file(), (directory / "out/checkpoint-1/small").string());
  EXPECT_TRUE(fs::is_empty(directory / "out"));
}

TEST(OutputDirectory, WaitsWhenItEnds) {
  TemporaryDirectory directory;
  {
    OutputDirectory output(directory / "out");
    output.create();
    output.begin("checkpoint-3", 0, [](DirectoryWriter& writer) { writer.write("file", "3"); });
    output.finish(put_small);
  }
  EXPECT_EQ(find_manifest_difference(directory / "out/checkpoint-3"), std::nullopt);
  {
    OutputDirectory output(directory / "out");
    output.begin("checkpoint-4", 0, [](DirectoryWriter& writer) { writer.write("file", "4"); });
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(directory / "out"), {}), 1);
}

TEST(OutputDirectory, RefusesWithoutRoom) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  const Error error = expect_error(ErrorCode::kIo, [&] {
    output.publish("trained", uint64_t{1} << 62, [](DirectoryWriter&) { FAIL(); });
  });
  EXPECT_EQ(error.file(), (directory / "out").string());
}

TEST(OutputDirectory, RemovesWhatKillsLeft) {
  TemporaryDirectory directory;
  fs::create_directories(directory / "out/.spanforge-partial-checkpoint-7/x");
  write_file_atomic(directory / "out/log.jsonl.123-0.tmp", "half");
  write_file_atomic(directory / "out/mine.txt", "keep");
  OutputDirectory output(directory / "out");
  output.create();
  EXPECT_EQ(std::distance(fs::directory_iterator(directory / "out"), {}), 1);
  EXPECT_TRUE(fs::exists(directory / "out/mine.txt"));
}

TEST(OutputDirectory, AdmitsOneProcessAtATime) {
  TemporaryDirectory directory;
  fs::create_directories(directory / "out");
  OutputDirectory first(directory / "out");
  const Error error =
      expect_error(ErrorCode::kUsage, [&] { OutputDirectory second(directory / "out"); });
  EXPECT_EQ(error.parameter(), "output");
}

TEST(OutputDirectory, RefusesAFile) {
  TemporaryDirectory directory;
  write_file_atomic(directory / "out", "text");
  expect_error(ErrorCode::kIo, [&] { OutputDirectory output(directory / "out"); });
}

TEST(RunAround, FindsTheRunThatAPathWouldBePartOf) {
  TemporaryDirectory directory;
  fs::create_directories(directory / "ours/checkpoint-3");
  write_file_atomic(directory / "ours/log.jsonl", "");
  fs::create_directories(directory / "hf/checkpoint-3");
  write_file_atomic(directory / "hf/checkpoint-3/trainer_state.json", "{}");
  fs::create_directories(directory / "plain/checkpoint-5");
  const auto at = [&](const char* name) { return run_around(directory / name); };
  const fs::path ours = fs::canonical(directory / "ours"), hf = fs::canonical(directory / "hf");
  for (const char* name : {"ours/checkpoint-3", "ours/checkpoint-4", "ours/checkpoint-3/",
                           "ours/trained", "ours/checkpoint-3/sub/sub", "ours/x/../trained"}) {
    EXPECT_EQ(at(name), ours) << name;
  }
  for (const char* name : {"hf/checkpoint-3", "hf/checkpoint-4"}) EXPECT_EQ(at(name), hf) << name;
  // Any other directory is free, also next to and below runs.
  for (const char* name : {"ours", "hf/", "new", "ours/second", "ours/checkpoint-x", "ours/logs/x",
                           "plain/checkpoint-5", "plain/trained", "trained"}) {
    EXPECT_EQ(at(name), std::nullopt) << name;
  }
}

TEST(OutputDirectory, KnowsARun) {
  TemporaryDirectory directory;
  fs::create_directories(directory / "out/checkpoint-x");
  fs::create_directories(directory / "out/checkpoint-3.old");
  OutputDirectory output(directory / "out");
  EXPECT_FALSE(output.holds_run());
  fs::create_directories(directory / "out/trained");
  EXPECT_TRUE(output.holds_run());
  output.remove_run();
  EXPECT_FALSE(output.holds_run());
}

// A kill came between the renames of a file system that cannot exchange two names.
TEST(OutputDirectory, PutsBackWhatStoodAside) {
  TemporaryDirectory directory;
  for (const char* name : {"checkpoint-7", "checkpoint-8"}) {
    fs::create_directories(directory / (std::string("out/.spanforge-partial-") + name + "-aside"));
    put(directory / (std::string("out/.spanforge-partial-") + name + "-aside"), "old");
  }
  fs::create_directories(directory / "out/checkpoint-8");
  put(directory / "out/checkpoint-8", "new");
  OutputDirectory output(directory / "out");
  output.create();
  EXPECT_EQ(list_directory(directory / "out"),
            (std::vector<std::string>{"checkpoint-7", "checkpoint-8"}));
  EXPECT_EQ(read_file(directory / "out/checkpoint-7/file"), "old");
  EXPECT_EQ(read_file(directory / "out/checkpoint-8/file"), "new");
}

TEST(OutputDirectory, ErrorsNameWhatTheUserKnows) {
  TemporaryDirectory directory;
  OutputDirectory output(directory / "out");
  output.create();
  const Error error = expect_error(ErrorCode::kIo, [&] {
    output.publish("checkpoint-1", 0, [](DirectoryWriter& writer) { writer.write("no/file", ""); });
  });
  EXPECT_EQ(error.file(), (directory / "out/checkpoint-1/no/file").string());
  EXPECT_EQ(list_directory(directory / "out").size(), 0u);
}

}  // namespace
}  // namespace spanforge
