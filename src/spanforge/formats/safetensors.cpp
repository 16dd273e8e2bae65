#include "spanforge/formats/safetensors.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "spanforge/base/json.h"

namespace spanforge {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
// The largest models known have a few ten thousand tensors. The limit bounds the memory that a
// header of nothing but entries can take.
constexpr int64_t kMaxTensors = 200'000;

[[noreturn]] void fail(const std::string& place, const std::string& what) {
  throw Error(ErrorCode::kBadModel, place, what);
}

uint64_t read_u64(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = 8; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

// A whole number of the header; anything else (negative, fractional, a string) is refused.
uint64_t read_count(const Json& value, const std::string& place, const std::string& what) {
  if (!value.is_number_integer() || (!value.is_number_unsigned() && value.get<int64_t>() < 0)) {
    fail(place, what + " must be a whole number that is not negative");
  }
  return value.get<uint64_t>();
}

struct Entry {
  StoredTensor tensor;
  uint64_t begin = 0, end = 0;
};

Entry read_entry(const std::string& name, const Json& value, std::string_view data,
                 const std::string& place) {
  const std::string what = fmt::format("tensor \"{}\"", quote_for_message(name));
  if (!value.is_object() || value.size() != 3 || !value.contains("dtype") ||
      !value.contains("shape") || !value.contains("data_offsets")) {
    fail(place, what + " must have exactly dtype, shape and data_offsets");
  }
  Entry entry;
  entry.tensor.name = name;
  const Json& dtype = value["dtype"];
  const auto type = dtype.is_string() ? find_stored_type(dtype.get_ref<const std::string&>())
                                      : std::nullopt;
  if (!type) {
    fail(place, fmt::format("{} has the unknown dtype {}", what,
                            quote_for_message(dump_python_json(dtype), 40)));
  }
  entry.tensor.type = *type;
  const Json& shape = value["shape"];
  if (!shape.is_array()) fail(place, what + ": shape must be a list");
  for (const Json& dimension : shape) {
    const uint64_t size = read_count(dimension, place, what + ": each dimension");
    if (size > static_cast<uint64_t>(INT64_MAX)) fail(place, what + " has an impossible shape");
    entry.tensor.shape.push_back(static_cast<int64_t>(size));
  }
  const Json& offsets = value["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) {
    fail(place, what + ": data_offsets must be a list of two numbers");
  }
  entry.begin = read_count(offsets[0], place, what + ": the begin offset");
  entry.end = read_count(offsets[1], place, what + ": the end offset");
  if (entry.end < entry.begin) fail(place, what + " ends before it begins");
  if (entry.end > data.size()) {
    fail(place, fmt::format("{} ends at byte {} of {}: the file is cut off or its header is wrong",
                            what, entry.end, data.size()));
  }
  const auto bytes = stored_bytes(entry.tensor.type, entry.tensor.shape);
  if (!bytes) fail(place, what + " has a shape too large to be one");
  if (*bytes != entry.end - entry.begin) {
    fail(place, fmt::format("{} holds {} bytes where its shape and dtype need {}", what,
                            entry.end - entry.begin, *bytes));
  }
  entry.tensor.bytes = data.substr(entry.begin, *bytes);
  return entry;
}

SafetensorsMetadata read_metadata(const Json& value, const std::string& place) {
  if (!value.is_object()) fail(place, "__metadata__ must map texts to texts");
  SafetensorsMetadata metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) {
      fail(place, fmt::format("__metadata__ \"{}\" must be a text", quote_for_message(key)));
    }
    metadata[key] = text.get<std::string>();
  }
  return metadata;
}

void require_contiguous(const std::vector<Entry>& entries, uint64_t data_size,
                        const std::string& place) {
  uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != expected) {
      fail(place, fmt::format("tensor \"{}\" begins at byte {} where {} is due: {}",
                              quote_for_message(entry.tensor.name), entry.begin, expected,
                              entry.begin < expected ? "it overlaps another" : "there is a hole"));
    }
    expected = entry.end;
  }
  if (expected != data_size) {
    fail(place, fmt::format("{} bytes follow the last tensor", data_size - expected));
  }
}

// The text of the header; the data follow it.
std::string_view read_header(std::string_view bytes, const std::string& place) {
  if (bytes.size() < 8) {
    fail(place, fmt::format("has {} bytes, too few for a safetensors file", bytes.size()));
  }
  if (bytes.starts_with("version https://git-lfs")) {
    fail(place, "is a Git-LFS pointer, not weights; fetch the file with git lfs pull");
  }
  if (bytes.starts_with("<!DOCTYPE") || bytes.starts_with("<!doctype") || bytes.starts_with("<html")) {
    fail(place, "is an HTML page, not weights; download the file again");
  }
  const uint64_t length = read_u64(bytes);
  if (length > kMaxHeaderBytes) {
    fail(place, fmt::format("declares a header of {} bytes, above the format's limit of {}: not a "
                            "safetensors file", length, kMaxHeaderBytes));
  }
  if (length > bytes.size() - 8) {
    fail(place, fmt::format("declares a header of {} bytes but has only {}: cut off", length,
                            bytes.size() - 8));
  }
  const std::string_view header = bytes.substr(8, length);
  if (header.empty() || header[0] != '{') fail(place, "its header does not start with '{'");
  if (std::count(header.begin(), header.end(), '{') > kMaxTensors + 2) {
    fail(place, fmt::format("its header lists more than {} tensors", kMaxTensors));
  }
  return header;
}

std::string header_json(const std::vector<StoredTensor>& tensors,
                        const SafetensorsMetadata& metadata) {
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
    out += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                       quoted(tensor.name), stored_type_name(tensor.type),
                       fmt::join(tensor.shape, ","), offset, offset + tensor.bytes.size());
    offset += tensor.bytes.size();
  }
  out += '}';
  out.append((8 - out.size() % 8) % 8, ' ');
  return out;
}

}  // namespace

SafetensorsContents parse_safetensors(std::string_view bytes, const std::string& place) {
  const std::string_view text = read_header(bytes, place);
  const std::string_view data = bytes.substr(8 + text.size());
  const Json header = parse_json(text, place, ErrorCode::kBadModel);
  SafetensorsContents contents;
  std::vector<Entry> entries;
  entries.reserve(header.size());
  for (const auto& [name, value] : header.items()) {
    if (name == "__metadata__") {
      contents.metadata = read_metadata(value, place);
    } else {
      entries.push_back(read_entry(name, value, data, place));
    }
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  require_contiguous(entries, data.size(), place);
  contents.tensors.reserve(entries.size());
  for (Entry& entry : entries) contents.tensors.push_back(std::move(entry.tensor));
  return contents;
}

SafetensorsFile::SafetensorsFile(const fs::path& path)
    : file_(path), contents_(parse_safetensors(file_.bytes(), path.string())) {
  for (size_t i = 0; i < contents_.tensors.size(); ++i) index_[contents_.tensors[i].name] = i;
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
  const auto it = index_.find(name);
  return it == index_.end() ? nullptr : &contents_.tensors[it->second];
}

void write_safetensors(const fs::path& path, std::vector<StoredTensor> tensors,
                       const SafetensorsMetadata& metadata) {
  for (const StoredTensor& tensor : tensors) {
    if (stored_bytes(tensor.type, tensor.shape) != tensor.bytes.size()) {
      throw Error(ErrorCode::kInternal, path.string(),
                  fmt::format("tensor \"{}\": shape and size disagree", tensor.name));
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return a.type != b.type ? a.type > b.type : a.name < b.name;
  });
  const std::string header = header_json(tensors, metadata);
  std::string length(8, '\0');
  for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 0xFF);
  AtomicFile file(path);
  file.write(length);
  file.write(header);
  for (const StoredTensor& tensor : tensors) file.write(tensor.bytes);
  file.commit();
}

}  // namespace spanforge
