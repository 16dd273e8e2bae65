#include "spanforge/formats/tfevents.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/core.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "spanforge/base/error.h"
#include "spanforge/base/hash.h"

namespace spanforge {
namespace {

// Field numbers of tensorflow's event.proto, summary.proto, tensor.proto, tensor_shape.proto.
namespace field {
constexpr uint32_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5;  // Event
constexpr uint32_t kValue = 1;                                                // Summary
constexpr uint32_t kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9;    // Summary.Value
constexpr uint32_t kPluginData = 1;                                           // SummaryMetadata
constexpr uint32_t kPluginName = 1;                                           // PluginData
constexpr uint32_t kDtype = 1, kShape = 2, kFloatVal = 5, kStringVal = 8;     // TensorProto
constexpr uint32_t kDim = 2;                                                  // TensorShapeProto
constexpr uint32_t kSize = 1;                                                 // Dim
}  // namespace field
constexpr int32_t kDtypeString = 7;
constexpr const char* kFileVersion = "brain.Event:2";

uint32_t masked_crc(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

template <class T>
void append_number(std::string& out, T value) {
  for (size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

void write_value(protozero::pbf_writer& summary, const EventValue& value) {
  protozero::pbf_writer out(summary, field::kValue);
  out.add_string(field::kTag, value.tag);
  if (value.scalar) out.add_float(field::kSimpleValue, *value.scalar);
  if (value.text) {
    protozero::pbf_writer tensor(out, field::kTensor);
    tensor.add_enum(field::kDtype, kDtypeString);
    {
      protozero::pbf_writer shape(tensor, field::kShape);
      protozero::pbf_writer dimension(shape, field::kDim);
      dimension.add_int64(field::kSize, 1);
    }
    tensor.add_bytes(field::kStringVal, *value.text);
  }
  if (!value.plugin.empty()) {
    protozero::pbf_writer metadata(out, field::kMetadata);
    protozero::pbf_writer plugin(metadata, field::kPluginData);
    plugin.add_string(field::kPluginName, value.plugin);
  }
}

constexpr uint32_t field_of(uint32_t number, protozero::pbf_wire_type type) {
  return protozero::tag_and_type(number, type);
}
constexpr auto kVarint = protozero::pbf_wire_type::varint;
constexpr auto kFixed32 = protozero::pbf_wire_type::fixed32;
constexpr auto kFixed64 = protozero::pbf_wire_type::fixed64;
constexpr auto kBlob = protozero::pbf_wire_type::length_delimited;

std::string read_plugin_name(protozero::pbf_reader metadata) {
  std::string name;
  while (metadata.next(field::kPluginData, kBlob)) {
    protozero::pbf_reader plugin = metadata.get_message();
    while (plugin.next(field::kPluginName, kBlob)) name = plugin.get_string();
  }
  return name;
}

void read_tensor(protozero::pbf_reader tensor, EventValue& value) {
  while (tensor.next()) {
    switch (static_cast<uint32_t>(tensor.tag_and_type())) {
      case field_of(field::kStringVal, kBlob):
        if (!value.text) {
          value.text = tensor.get_bytes();
        } else {
          tensor.skip();
        }
        break;
      case field_of(field::kFloatVal, kBlob):
        for (float number : tensor.get_packed_float()) {
          if (!value.scalar) value.scalar = number;
        }
        break;
      default: tensor.skip();
    }
  }
}

EventValue read_value(protozero::pbf_reader message) {
  EventValue value;
  while (message.next()) {
    switch (static_cast<uint32_t>(message.tag_and_type())) {
      case field_of(field::kTag, kBlob): value.tag = message.get_string(); break;
      case field_of(field::kSimpleValue, kFixed32): value.scalar = message.get_float(); break;
      case field_of(field::kTensor, kBlob): read_tensor(message.get_message(), value); break;
      case field_of(field::kMetadata, kBlob):
        value.plugin = read_plugin_name(message.get_message());
        break;
      default: message.skip();
    }
  }
  return value;
}

Event read_event(std::string_view bytes) {
  Event event;
  protozero::pbf_reader message(bytes.data(), bytes.size());
  while (message.next()) {
    switch (static_cast<uint32_t>(message.tag_and_type())) {
      case field_of(field::kWallTime, kFixed64): event.wall_time = message.get_double(); break;
      case field_of(field::kStep, kVarint): event.step = message.get_int64(); break;
      case field_of(field::kFileVersion, kBlob): event.file_version = message.get_string(); break;
      case field_of(field::kSummary, kBlob): {
        protozero::pbf_reader summary = message.get_message();
        while (summary.next(field::kValue, kBlob)) {
          event.values.push_back(read_value(summary.get_message()));
        }
        break;
      }
      default: message.skip();
    }
  }
  return event;
}

uint64_t read_number(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string encode_event(const Event& event) {
  std::string data;
  {
    protozero::pbf_writer out(data);
    out.add_double(field::kWallTime, event.wall_time);
    if (event.step != 0) out.add_int64(field::kStep, event.step);
    if (!event.file_version.empty()) out.add_string(field::kFileVersion, event.file_version);
    if (!event.values.empty()) {
      protozero::pbf_writer summary(out, field::kSummary);
      for (const EventValue& value : event.values) write_value(summary, value);
    }
  }
  std::string record;
  record.reserve(data.size() + 16);
  append_number(record, static_cast<uint64_t>(data.size()));
  append_number(record, masked_crc(record));
  record += data;
  append_number(record, masked_crc(data));
  return record;
}

EventFileContents parse_events(std::string_view bytes, const std::string& place) {
  constexpr size_t kHeader = 12, kFooter = 4;
  EventFileContents contents;
  size_t at = 0;
  while (bytes.size() - at >= kHeader + kFooter) {
    const uint64_t size = read_number(bytes, at, 8);
    if (read_number(bytes, at + 8, 4) != masked_crc(bytes.substr(at, 8))) break;
    if (size > bytes.size() - at - kHeader - kFooter) break;
    const std::string_view data = bytes.substr(at + kHeader, size);
    if (read_number(bytes, at + kHeader + size, 4) != masked_crc(data)) break;
    try {
      contents.events.push_back(read_event(data));
    } catch (const protozero::exception& error) {
      throw Error(ErrorCode::kBadData, place,
                  fmt::format("the record at byte {} holds no event: {}", at, error.what()));
    }
    at += kHeader + size + kFooter;
  }
  contents.valid_bytes = at;
  return contents;
}

EventFileContents read_events(const fs::path& path) {
  const MappedFile file(path);
  return while_whole(file, [&] { return parse_events(file.bytes(), path.string()); });
}

EventWriter EventWriter::create(const fs::path& directory, std::string_view suffix) {
  static std::atomic<unsigned> serial{0};
  spanforge::create_directories(directory);
  char host[256] = "localhost";
  ::gethostname(host, sizeof host - 1);
  const double time = now();
  fs::path path;
  do {
    path = directory / fmt::format("events.out.tfevents.{:010}.{}.{}.{}{}",
                                   static_cast<int64_t>(time), host, ::getpid(), serial++, suffix);
  } while (path_exists(path));
  EventWriter writer(path, Descriptor(path, O_WRONLY | O_CREAT | O_EXCL), 0);
  writer.append({.wall_time = time, .file_version = kFileVersion});
  writer.flush();
  return writer;
}

EventWriter EventWriter::reopen(const fs::path& file, uint64_t offset) {
  EventWriter writer(file, Descriptor(file, O_WRONLY | O_NOFOLLOW), offset);
  const int fd = writer.file_.get();
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw_io(file, "read its size", errno);
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) < offset) {
    throw Error(ErrorCode::kBadData, file.string(),
                fmt::format("has {} bytes, but {} were written: it cannot be continued",
                            info.st_size, offset));
  }
  while (::ftruncate(fd, static_cast<off_t>(offset)) != 0) {
    if (errno != EINTR) throw_io(file, "truncate", errno);
  }
  if (::lseek(fd, 0, SEEK_END) < 0) throw_io(file, "seek", errno);
  return writer;
}

EventWriter::EventWriter(fs::path path, Descriptor file, uint64_t offset)
    : path_(std::move(path)), file_(std::move(file)), offset_(offset) {}

EventWriter::~EventWriter() {
  if (!file_) return;
  try {
    flush();
  } catch (const Error&) {  // documented: call flush() to get errors
  }
}

void EventWriter::append(const Event& event) {
  constexpr size_t kBuffered = 64 << 10;
  const std::string record = encode_event(event);
  buffer_ += record;
  offset_ += record.size();
  if (buffer_.size() >= kBuffered) flush();
}

void EventWriter::add_scalar(std::string_view tag, double value, int64_t step, double wall_time) {
  append({.wall_time = wall_time < 0 ? now() : wall_time,
          .step = step,
          .values = {{.tag = std::string(tag), .scalar = static_cast<float>(value)}}});
}

void EventWriter::add_text(std::string_view tag, std::string_view text, int64_t step,
                           double wall_time) {
  append({.wall_time = wall_time < 0 ? now() : wall_time,
          .step = step,
          .values = {{.tag = std::string(tag) + "/text_summary",
                      .text = std::string(text),
                      .plugin = "text"}}});
}

// After an error, an unknown part of the buffer is in the file, so it is not written again.
void EventWriter::flush() { file_.write(std::exchange(buffer_, {})); }

void EventWriter::sync() {
  flush();
  file_.sync();
}

}  // namespace spanforge
