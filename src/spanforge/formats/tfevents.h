#pragma once
// TensorBoard event files, as torch.utils.tensorboard.SummaryWriter writes them.
// Format: records of u64 length, masked CRC-32C of it, bytes, masked CRC-32C of them; each holds a
// tensorflow.Event (tensorflow/core/util/event.proto). Errors: Error{kIo, file}.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/io/file.h"

namespace spanforge {

// One summary value of an event; exactly one of scalar and text is set for what we write. Values of
// other kinds (histograms, images) are read with neither.
struct EventValue {
  std::string tag;
  std::optional<float> scalar;
  std::optional<std::string> text;
  std::string plugin;  // metadata's plugin name: "text" for texts, "" for plain scalars
};

struct Event {
  double wall_time = 0;  // seconds since 1970
  int64_t step = 0;
  std::string file_version;  // of the first record only
  std::vector<EventValue> values;
};

// Bytes of one whole record (header, event, checksum).
std::string encode_event(const Event& event);

struct EventFileContents {
  std::vector<Event> events;
  uint64_t valid_bytes =
      0;  // end of the last whole record; less than the file where it was cut off
};
// Reads until the end or the first record that is cut off or fails its checksum: a file is cut off
// where its writer was killed. Error{kBadData, place} only where a record with right checksums
// holds no event.
EventFileContents parse_events(std::string_view bytes, const std::string& place);
EventFileContents read_events(const fs::path& path);

// Appends events to one file; buffered until flush() or 64 KiB. Not for several threads at once.
class EventWriter {
 public:
  // A new file events.out.tfevents.TIME.HOST.PID.N in `directory` (made when absent), beginning
  // with the version event. `suffix` ends its name, as SummaryWriter's filename_suffix.
  static EventWriter create(const fs::path& directory, std::string_view suffix = {});
  // Continues `file`, cut to `offset` bytes, as offset() gave when a checkpoint was taken. Error
  // where the file is shorter.
  static EventWriter reopen(const fs::path& file, uint64_t offset);

  EventWriter(EventWriter&& other) noexcept = default;
  EventWriter& operator=(EventWriter&&) = delete;
  ~EventWriter();  // flushes; an error here is lost, so call flush() first

  // wall_time: seconds since 1970; negative means now.
  void add_scalar(std::string_view tag, double value, int64_t step, double wall_time = -1);
  // The tag gets "/text_summary" appended, as SummaryWriter.add_text does.
  void add_text(std::string_view tag, std::string_view text, int64_t step, double wall_time = -1);
  void flush();
  void sync();  // flush, and wait until the disk has it: before offset() goes into a checkpoint
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
