#pragma once
// What: reads and writes TensorBoard event files like torch.utils.tensorboard.SummaryWriter.
// Format: records of u64 length, masked CRC-32C of it, bytes, masked CRC-32C of them. Each holds a
//   tensorflow.Event (tensorflow/core/util/event.proto).
// Errors: Error{kIo, file}.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/io/file.h"

namespace spanforge {

// One summary value of an event. Spanforge writes values with exactly one of scalar and text.
// Values of other kinds (histograms, images) are read with neither.
struct EventValue {
  std::string tag;
  std::optional<float> scalar;
  std::optional<std::string> text;
  std::string plugin;  // metadata's plugin name: "text" for texts, "" for plain scalars
};

struct Event {
  double wall_time = 0;  // seconds since 1970
  int64_t step = 0;
  std::string file_version;  // only in the first record
  std::vector<EventValue> values;
};

// Bytes of one whole record (header, event, checksum).
std::string encode_event(const Event& event);

struct EventFileContents {
  std::vector<Event> events;
  uint64_t valid_bytes =
      0;  // end of the last whole record; less than the file's size if it is truncated
};
// Reads until the end or the first record that is truncated or fails its checksum: a killed writer
// leaves a truncated file. Throws Error{kBadData, place} only if a record with right checksums
// holds no event.
EventFileContents parse_events(std::string_view bytes, const std::string& place);
EventFileContents read_events(const fs::path& path);

// Appends events to one file. Buffers up to 64 KiB until flush(). Not thread-safe.
class EventWriter {
 public:
  // Makes a file events.out.tfevents.TIME.HOST.PID.N in `directory` (which it makes if absent) with
  // the version event. suffix: the end of its name, like SummaryWriter's filename_suffix.
  static EventWriter create(const fs::path& directory, std::string_view suffix = {});
  // Continues `file` after truncating it to `offset` bytes, the offset() in a checkpoint. Throws if
  // the file is shorter.
  static EventWriter reopen(const fs::path& file, uint64_t offset);

  EventWriter(EventWriter&& other) noexcept = default;
  EventWriter& operator=(EventWriter&&) = delete;
  ~EventWriter();  // flushes and ignores errors: call flush() before

  // wall_time: seconds since 1970; negative means now.
  void add_scalar(std::string_view tag, double value, int64_t step, double wall_time = -1);
  // Appends "/text_summary" to the tag, like SummaryWriter.add_text.
  void add_text(std::string_view tag, std::string_view text, int64_t step, double wall_time = -1);
  void flush();
  void sync();  // flushes and waits for the disk; call it before storing offset() in a checkpoint
  uint64_t offset() const { return offset_; }  // bytes written and buffered so far
  const fs::path& path() const { return path_; }

 private:
  EventWriter(fs::path path, Descriptor file, uint64_t offset);
  void append(const Event& event);

  fs::path path_;
  Descriptor file_;
  uint64_t offset_ = 0;
  std::string buffer_;
};

}  // namespace spanforge
