#include "spanforge/formats/safetensors.h"

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/foreign_content.h"
#include "spanforge/base/join.h"
#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"
#include "spanforge/formats/bad_model.h"

namespace spanforge {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
// The largest known models have a few ten thousand tensors. The limit bounds the memory for a
// header of many small entries.
constexpr size_t kMaxTensors = 200'000;
constexpr size_t kMaxRank = 64;

uint64_t read_u64(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

struct Entry {
  StoredTensor tensor;
  uint64_t begin = 0, end = 0;
};

// Reads the header without building a tree: it may be 100 MB and is untrusted.
class HeaderReader {
 public:
  HeaderReader(std::string_view header, std::string_view data, const std::string& place)
      : in_(header, place, ErrorCode::kBadModel), data_(data), place_(place) {}

  std::vector<Entry> read(SafetensorsMetadata& metadata) {
    std::vector<Entry> entries;
    std::string name;
    for (in_.begin_object(); in_.next_key(name);) {
      if (name == "__metadata__") {
        read_metadata(metadata);
      } else {
        if (entries.size() == kMaxTensors) {
          in_.fail(fmt::format("the header lists more than {} tensors", kMaxTensors));
        }
        entries.push_back(read_entry(name));
      }
    }
    in_.finish();
    return entries;
  }

 private:
  [[noreturn]] void fail_tensor(const std::string& what) {
    throw_bad_model(place_, fmt::format("tensor \"{}\" {}", quote_for_message(name_), what));
  }

  void read_metadata(SafetensorsMetadata& metadata) {
    if (in_.peek() != JsonReader::Kind::kObject) in_.fail("__metadata__ must map texts to texts");
    std::string key;
    for (in_.begin_object(); in_.next_key(key);) {
      if (in_.peek() != JsonReader::Kind::kString) {
        in_.fail(fmt::format("__metadata__ \"{}\" must be a text", quote_for_message(key)));
      }
      metadata.try_emplace(key, in_.read_string());
    }
  }

  Entry read_entry(const std::string& name) {
    name_ = name;
    Entry entry;
    entry.tensor.name = name;
    bool has_type = false, has_shape = false, has_offsets = false;
    constexpr const char* kMembers = "must have exactly dtype, shape and data_offsets";
    if (in_.peek() != JsonReader::Kind::kObject) fail_tensor(kMembers);
    std::string key;
    for (in_.begin_object(); in_.next_key(key);) {
      if (key == "dtype") {
        has_type = true;
        entry.tensor.type = read_type();
      } else if (key == "shape") {
        has_shape = true;
        entry.tensor.shape = read_shape();
      } else if (key == "data_offsets") {
        has_offsets = true;
        read_offsets(entry);
      } else {
        fail_tensor(kMembers);
      }
    }
    if (!has_type || !has_shape || !has_offsets) fail_tensor(kMembers);
    check_size(entry);
    entry.tensor.bytes = data_.substr(entry.begin, entry.end - entry.begin);
    return entry;
  }

  StoredType read_type() {
    if (in_.peek() != JsonReader::Kind::kString) fail_tensor("has an unknown dtype: not a text");
    const std::string name = in_.read_string();
    const auto type = find_stored_type(name);
    if (!type) fail_tensor(fmt::format("has the unknown dtype {}", quote_for_message(name, 40)));
    return *type;
  }

  std::vector<int64_t> read_shape() {
    if (in_.peek() != JsonReader::Kind::kArray) fail_tensor("has a shape that is not a list");
    std::vector<int64_t> shape;
    for (in_.begin_array(); in_.next_item();) {
      const uint64_t size = in_.read_count("each dimension");
      if (size > static_cast<uint64_t>(INT64_MAX)) fail_tensor("has an impossible shape");
      if (shape.size() == kMaxRank) fail_tensor("has too many dimensions");
      shape.push_back(static_cast<int64_t>(size));
    }
    return shape;
  }

  void read_offsets(Entry& entry) {
    if (in_.peek() != JsonReader::Kind::kArray) fail_tensor("has data_offsets that are no list");
    size_t count = 0;
    for (in_.begin_array(); in_.next_item(); ++count) {
      if (count == 2) fail_tensor("must have data_offsets of two numbers");
      (count == 0 ? entry.begin : entry.end) = in_.read_count("an offset");
    }
    if (count != 2) fail_tensor("must have data_offsets of two numbers");
  }

  void check_size(const Entry& entry) {
    if (entry.end < entry.begin) fail_tensor("ends before it begins");
    if (entry.end > data_.size()) {
      fail_tensor(fmt::format("ends at byte {} of {}: the file is truncated or its header is wrong",
                              entry.end, data_.size()));
    }
    const auto bytes = stored_bytes(entry.tensor.type, entry.tensor.shape);
    if (!bytes) fail_tensor("has a shape too large to be one");
    if (*bytes != entry.end - entry.begin) {
      fail_tensor(fmt::format("has {} bytes, but its shape and dtype need {}",
                              entry.end - entry.begin, *bytes));
    }
  }

  JsonReader in_;
  std::string_view data_;
  const std::string& place_;
  std::string name_;
};

void require_contiguous(const std::vector<Entry>& entries, uint64_t data_size,
                        const std::string& place) {
  uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected) {
      throw_bad_model(
          place, fmt::format("tensor \"{}\" begins at byte {} instead of {}: {}",
                             quote_for_message(entry.tensor.name), entry.begin, expected,
                             entry.begin < expected ? "it overlaps another" : "there is a hole"));
    }
    expected = entry.end;
  }
  if (expected != data_size) {
    throw_bad_model(place, fmt::format("{} bytes follow the last tensor", data_size - expected));
  }
}

// The text of the header; the data follow it.
std::string_view read_header(std::string_view bytes, const std::string& place) {
  if (bytes.size() < 8) {
    throw_bad_model(place,
                    fmt::format("has {} bytes, too few for a safetensors file", bytes.size()));
  }
  refuse_foreign_content(bytes, place, ErrorCode::kBadModel);
  const uint64_t length = read_u64(bytes);
  if (length > kMaxHeaderBytes) {
    throw_bad_model(
        place, fmt::format("declares a header of {} bytes, above the format's limit of {}: not a "
                           "safetensors file",
                           length, kMaxHeaderBytes));
  }
  if (length > bytes.size() - 8) {
    throw_bad_model(
        place, fmt::format("declares a header of {} bytes but has only {}: it is truncated", length,
                           bytes.size() - 8));
  }
  const std::string_view header = bytes.substr(8, length);
  if (header.empty() || header[0] != '{')
    throw_bad_model(place, "its header does not start with '{'");
  return header;
}

std::string header_json(const std::vector<StoredTensor>& tensors,
                        const SafetensorsMetadata& metadata, size_t alignment) {
  const PythonJsonStyle style{.ensure_ascii = false};
  const auto quoted = [&](const std::string& text) { return dump_python_json(Json(text), style); };
  std::string out = "{";
  if (!metadata.empty()) {
    out += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      if (out.back() != '{') out += ',';
      out += quoted(key) + ":" + quoted(value);
    }
    out += "}";
  }
  uint64_t offset = 0;
  for (const StoredTensor& tensor : tensors) {
    if (out.size() > 1) out += ',';
    std::vector<std::string> shape;
    for (const auto size : tensor.shape) shape.push_back(std::to_string(size));
    out += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                       quoted(tensor.name), stored_type_name(tensor.type), join(shape, ","), offset,
                       offset + tensor.bytes.size());
    offset += tensor.bytes.size();
  }
  out += '}';
  const size_t data = sizeof(uint64_t) + out.size();
  out.append((alignment - data % alignment) % alignment, ' ');
  return out;
}

}  // namespace

SafetensorsContents parse_safetensors(std::string_view bytes, const std::string& place) {
  const std::string_view text = read_header(bytes, place);
  const std::string_view data = bytes.substr(8 + text.size());
  SafetensorsContents contents;
  std::vector<Entry> entries = HeaderReader(text, data, place).read(contents.metadata);
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  require_contiguous(entries, data.size(), place);
  contents.tensors.reserve(entries.size());
  for (Entry& entry : entries) contents.tensors.push_back(std::move(entry.tensor));
  return contents;
}

SafetensorsFile::SafetensorsFile(const fs::path& path)
    : file_(path),
      contents_(
          while_whole(file_, [&] { return parse_safetensors(file_.bytes(), path.string()); })) {
  for (size_t i = 0; i < contents_.tensors.size(); ++i) {
    index_.insert(contents_.tensors[i].name, i, texts_in(contents_.tensors, &StoredTensor::name));
  }
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name, texts_in(contents_.tensors, &StoredTensor::name));
  return found ? &contents_.tensors[*found] : nullptr;
}

void write_safetensors(AtomicFile file, std::vector<StoredTensor> tensors,
                       const SafetensorsMetadata& metadata, size_t alignment) {
  for (const StoredTensor& tensor : tensors) {
    if (stored_bytes(tensor.type, tensor.shape) != tensor.bytes.size()) {
      throw Error(ErrorCode::kInternal, file.path().string(),
                  fmt::format("tensor \"{}\": shape and size disagree", tensor.name));
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return a.type != b.type ? a.type > b.type : a.name < b.name;
  });
  const std::string header = header_json(tensors, metadata, alignment);
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  file.write(length);
  file.write(header);
  for (const StoredTensor& tensor : tensors) file.write(tensor.bytes);
  file.commit();
}

}  // namespace spanforge
