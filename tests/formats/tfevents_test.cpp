#include "spanforge/formats/tfevents.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/framing.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

TEST(EventWriter, ReadsBackWhatItWrites) {
  TemporaryDirectory directory;
  EventWriter writer = EventWriter::create(directory / "logs");
  writer.add_scalar("train/loss", 0.5, 3, 100.5);
  writer.add_scalar("zero", 0, 0, 101);
  writer.add_text("qa_debug/题", "Answer: <文> (Rank: 1)", 4, 102);
  writer.flush();
  const EventFileContents contents = read_events(writer.path());
  ASSERT_EQ(contents.events.size(), 4u);
  EXPECT_EQ(contents.valid_bytes, fs::file_size(writer.path()));
  EXPECT_EQ(contents.valid_bytes, writer.offset());
  EXPECT_EQ(contents.events[0].file_version, "brain.Event:2");
  EXPECT_GT(contents.events[0].wall_time, 1.6e9);
  EXPECT_EQ(contents.events[1].step, 3);
  EXPECT_EQ(contents.events[1].wall_time, 100.5);
  EXPECT_EQ(contents.events[1].values.at(0).tag, "train/loss");
  EXPECT_EQ(contents.events[1].values.at(0).scalar, 0.5f);
  EXPECT_EQ(contents.events[2].values.at(0).scalar, 0.0f);
  const EventValue& text = contents.events[3].values.at(0);
  EXPECT_EQ(text.tag, "qa_debug/题/text_summary");
  EXPECT_EQ(text.plugin, "text");
  EXPECT_EQ(text.text, "Answer: <文> (Rank: 1)");
}

TEST(EventWriter, TheFileIsNamedAsTensorBoardExpects) {
  TemporaryDirectory directory;
  const EventWriter a = EventWriter::create(directory.path());
  const EventWriter b = EventWriter::create(directory.path());
  EXPECT_NE(a.path(), b.path());
  EXPECT_TRUE(a.path().filename().string().starts_with("events.out.tfevents."));
}

TEST(EventWriter, ContinuesAtAnOffset) {
  TemporaryDirectory directory;
  fs::path path;
  uint64_t offset = 0;
  {
    EventWriter writer = EventWriter::create(directory.path());
    path = writer.path();
    writer.add_scalar("kept", 1, 1);
    offset = writer.offset();
    writer.add_scalar("lost", 2, 2);
  }
  {
    EventWriter writer = EventWriter::reopen(path, offset);
    EXPECT_EQ(writer.offset(), offset);
    writer.add_scalar("new", 3, 3);
    writer.sync();
  }
  const EventFileContents contents = read_events(path);
  ASSERT_EQ(contents.events.size(), 3u);
  EXPECT_EQ(contents.events[1].values[0].tag, "kept");
  EXPECT_EQ(contents.events[2].values[0].tag, "new");
}

TEST(EventWriter, AFileThatIsTooShortIsNotContinued) {
  TemporaryDirectory directory;
  std::ofstream(directory / "f") << "1234";
  EXPECT_EQ(
      expect_error(ErrorCode::kBadData, [&] { EventWriter::reopen(directory / "f", 5); }).file(),
      (directory / "f").string());
  EXPECT_EQ(read_file(directory / "f"), "1234");
  expect_error(ErrorCode::kIo, [&] { EventWriter::reopen(directory / "none", 0); });
}

TEST(ParseEvents, StopsAtATruncatedOrDamagedRecord) {
  const std::string first = encode_event({.wall_time = 1, .file_version = "brain.Event:2"});
  const std::string second =
      encode_event({.wall_time = 2, .step = 5, .values = {{.tag = "a", .scalar = 1.0f}}});
  const std::string whole = first + second;
  ASSERT_EQ(parse_events(whole, "f").valid_bytes, whole.size());
  for (size_t size = 0; size < whole.size(); ++size) {
    const EventFileContents contents = parse_events(whole.substr(0, size), "f");
    EXPECT_EQ(contents.valid_bytes, size < first.size() ? 0 : first.size());
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(parse_events(damaged, "f").valid_bytes, i < first.size() ? 0 : first.size());
  }
}

TEST(ParseEvents, ARecordWithoutAnEventIsRefused) {
  // Right checksums around a malformed message: a field that runs past the end.
  const std::string record = encode_event({.wall_time = 1});
  std::string body = record.substr(12, record.size() - 16);
  ASSERT_EQ(testing::event_record(body), record);
  body[0] = '\x2a';  // summary, length-delimited
  body[1] = '\x7f';
  const std::string bad = testing::event_record(body);
  expect_error(ErrorCode::kBadData, [&] { parse_events(bad, "f"); });
}

}  // namespace
}  // namespace spanforge
