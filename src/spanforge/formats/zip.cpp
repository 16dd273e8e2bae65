#include "spanforge/formats/zip.h"

#include <zlib.h>

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/text_index.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/bad_model.h"

namespace spanforge {
namespace {

constexpr uint32_t kLocalSignature = 0x04034B50;
constexpr uint32_t kDirectorySignature = 0x02014B50;
constexpr uint32_t kEndSignature = 0x06054B50;
constexpr uint32_t kEnd64Signature = 0x06064B50;
constexpr uint32_t kLocator64Signature = 0x07064B50;
constexpr size_t kLocalSize = 30, kDirectorySize = 46, kEndSize = 22;
constexpr size_t kEnd64Size = 56, kLocator64Size = 20;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // the value is in the ZIP64 field

uint64_t little_endian(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}
uint16_t u16(std::string_view b, size_t at) {
  return static_cast<uint16_t>(little_endian(b, at, 2));
}
uint32_t u32(std::string_view b, size_t at) {
  return static_cast<uint32_t>(little_endian(b, at, 4));
}
uint64_t u64(std::string_view b, size_t at) { return little_endian(b, at, 8); }

void put(std::string& out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

struct Directory {
  uint64_t entries = 0, size = 0, offset = 0;
};

Directory find_directory(std::string_view archive, const std::string& place) {
  constexpr size_t kMaxComment = 65535;
  const size_t tail = archive.size() - std::min(archive.size(), kEndSize + kMaxComment);
  static constexpr std::string_view kMagic("PK\x05\x06", 4);
  const size_t at = archive.rfind(kMagic);
  if (at == std::string_view::npos || at < tail || archive.size() - at < kEndSize) {
    throw_bad_model(place, "has no ZIP directory at its end: the file is truncated");
  }
  Directory directory{u16(archive, at + 10), u32(archive, at + 12), u32(archive, at + 16)};
  if (u16(archive, at + 4) != 0 && u16(archive, at + 4) != 0xFFFF) {
    throw_bad_model(place, "is a ZIP archive of several disks");
  }
  uint64_t end = at;
  const bool has_locator =
      at >= kLocator64Size && u32(archive, at - kLocator64Size) == kLocator64Signature;
  if (has_locator) {
    const uint64_t end64 = u64(archive, at - kLocator64Size + 8);
    if (archive.size() < kEnd64Size || end64 > at - kLocator64Size ||
        at - kLocator64Size - end64 < kEnd64Size || u32(archive, end64) != kEnd64Signature) {
      throw_bad_model(place, "has a broken ZIP64 directory record");
    }
    directory = {u64(archive, end64 + 32), u64(archive, end64 + 40), u64(archive, end64 + 48)};
    end = end64;
  }
  if (directory.offset > end || directory.size > end - directory.offset) {
    throw_bad_model(place, "has a ZIP directory outside the file");
  }
  return directory;
}

struct Record {
  std::string_view name;
  uint16_t flags = 0, method = 0;
  uint32_t crc = 0;
  uint64_t stored = 0, size = 0, offset = 0;
};

// The ZIP64 field holds, in this order, those of the three values that are kIn64 above.
void read_zip64_field(std::string_view extra, Record& record, const std::string& place) {
  size_t at = 0;
  while (at + 4 <= extra.size()) {
    const uint16_t id = u16(extra, at), size = u16(extra, at + 2);
    at += 4;
    if (size > extra.size() - at) break;
    if (id == 1) {
      std::string_view field = extra.substr(at, size);
      for (uint64_t* value : {&record.size, &record.stored, &record.offset}) {
        if (*value != kIn64) continue;
        if (field.size() < 8) throw_bad_model(place, "has a broken ZIP64 entry");
        *value = u64(field, 0);
        field.remove_prefix(8);
      }
      return;
    }
    at += size;
  }
}

Record read_record(std::string_view directory, size_t& at, const std::string& place) {
  if (directory.size() - at < kDirectorySize || u32(directory, at) != kDirectorySignature) {
    throw_bad_model(place, "has a broken ZIP directory");
  }
  Record record;
  record.flags = u16(directory, at + 8);
  record.method = u16(directory, at + 10);
  record.crc = u32(directory, at + 16);
  record.stored = u32(directory, at + 20);
  record.size = u32(directory, at + 24);
  const size_t name_size = u16(directory, at + 28), extra_size = u16(directory, at + 30);
  const size_t comment_size = u16(directory, at + 32);
  record.offset = u32(directory, at + 42);
  at += kDirectorySize;
  if (directory.size() - at < name_size + extra_size + comment_size) {
    throw_bad_model(place, "has a broken ZIP directory");
  }
  record.name = directory.substr(at, name_size);
  read_zip64_field(directory.substr(at + name_size, extra_size), record, place);
  at += name_size + extra_size + comment_size;
  return record;
}

void require_safe_name(std::string_view name, const std::string& place) {
  bool safe = !name.empty() && name[0] != '/' && name.find('\0') == std::string_view::npos &&
              name.find('\\') == std::string_view::npos;
  for (size_t begin = 0; safe && begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    safe = name.substr(begin, end - begin) != "..";
    begin = end + 1;
  }
  if (!safe) {
    throw_bad_model(place,
                    fmt::format("has the unsafe ZIP entry name \"{}\"", quote_for_message(name)));
  }
}

std::string_view entry_bytes(std::string_view archive, const Record& record,
                             const std::string& place) {
  const std::string name = quote_for_message(record.name);
  if ((record.flags & 1) != 0)
    throw_bad_model(place, fmt::format("ZIP entry \"{}\" is encrypted", name));
  if (record.method != 0 || record.stored != record.size) {
    throw_bad_model(
        place,
        fmt::format("ZIP entry \"{}\" is compressed; torch.save does not compress entries", name));
  }
  if (archive.size() < kLocalSize || record.offset > archive.size() - kLocalSize ||
      u32(archive, record.offset) != kLocalSignature) {
    throw_bad_model(place, fmt::format("ZIP entry \"{}\" is outside the file", name));
  }
  const uint64_t begin = record.offset + kLocalSize + u16(archive, record.offset + 26) +
                         u16(archive, record.offset + 28);
  if (begin > archive.size() || record.size > archive.size() - begin) {
    throw_bad_model(place, fmt::format("ZIP entry \"{}\" is truncated", name));
  }
  if (archive.substr(record.offset + kLocalSize, record.name.size()) != record.name ||
      u16(archive, record.offset + 26) != record.name.size()) {
    throw_bad_model(place,
                    fmt::format("ZIP entry \"{}\" has another name in its own header", name));
  }
  return archive.substr(begin, record.size);
}

}  // namespace

uint32_t crc32_ieee(std::string_view bytes) {
  constexpr size_t kChunk = size_t{8} << 20;
  const size_t chunks = (bytes.size() + kChunk - 1) / kChunk;
  std::vector<uint32_t> part(chunks);
  const auto crc_of = [&](int64_t i) {
    const std::string_view chunk = bytes.substr(static_cast<size_t>(i) * kChunk, kChunk);
    part[static_cast<size_t>(i)] = static_cast<uint32_t>(
        ::crc32_z(0, reinterpret_cast<const unsigned char*>(chunk.data()), chunk.size()));
  };
  if (chunks == 1) {
    crc_of(0);
  } else {
    parallel_for(static_cast<int64_t>(chunks), 1, crc_of);
  }
  uint32_t crc = 0;
  for (size_t i = 0; i < chunks; ++i) {
    const size_t size = std::min(kChunk, bytes.size() - i * kChunk);
    crc = static_cast<uint32_t>(::crc32_combine(crc, part[i], static_cast<z_off_t>(size)));
  }
  return crc;
}

std::vector<ZipEntry> read_zip(std::string_view archive, const std::string& place) {
  const Directory where = find_directory(archive, place);
  const std::string_view directory = archive.substr(where.offset, where.size);
  std::vector<ZipEntry> entries;
  TextIndex names;
  std::vector<std::pair<const char*, const char*>> ranges;
  std::vector<uint32_t> checksums;
  size_t at = 0;
  for (uint64_t i = 0; i < where.entries; ++i) {
    const Record record = read_record(directory, at, place);
    require_safe_name(record.name, place);
    if (!names.insert(record.name, entries.size(), texts_in(entries, &ZipEntry::name)).is_new) {
      throw_bad_model(
          place, fmt::format("has the ZIP entry \"{}\" twice", quote_for_message(record.name)));
    }
    const std::string_view bytes = entry_bytes(archive, record, place);
    ranges.emplace_back(bytes.data(), bytes.data() + bytes.size());
    entries.push_back({std::string(record.name), bytes});
    checksums.push_back(record.crc);
  }
  // Refuses overlaps before it computes checksums, so that the file's size bounds that work.
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second)
      throw_bad_model(place, "has ZIP entries that overlap");
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    if (crc32_ieee(entries[i].bytes) != checksums[i]) {
      throw_bad_model(place, fmt::format("ZIP entry \"{}\" fails its checksum: the file is damaged",
                                         quote_for_message(entries[i].name)));
    }
  }
  return entries;
}

void ZipWriter::write(std::string_view bytes) {
  sink_(bytes);
  offset_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::string_view bytes, uint64_t alignment) {
  const uint32_t crc = crc32_ieee(bytes);
  const uint64_t header_offset = offset_;
  const bool wide = bytes.size() >= kIn64;
  std::string extra;
  if (wide) {
    put(extra, 1, 2);
    put(extra, 16, 2);
    put(extra, bytes.size(), 8);
    put(extra, bytes.size(), 8);
  }
  if (alignment > 1) {
    // An extra field with the unused id "FB", as in torch's files, filled with 'Z'.
    const uint64_t data_at = offset_ + kLocalSize + name.size() + extra.size() + 4;
    const uint64_t padding = (alignment - data_at % alignment) % alignment;
    extra += "FB";
    put(extra, padding, 2);
    extra.append(padding, 'Z');
  }
  // The fields that the local header and the directory share, from "version needed" on.
  std::string common;
  put(common, wide ? 45 : 20, 2);
  put(common, 1 << 11, 2);     // names are UTF-8
  put(common, 0, 2);           // stored
  put(common, 0, 2);           // time and date: none, so that equal contents give equal bytes
  put(common, 1 << 5 | 1, 2);  // 1980-01-01, the earliest there is
  put(common, crc, 4);
  put(common, wide ? kIn64 : bytes.size(), 4);
  put(common, wide ? kIn64 : bytes.size(), 4);
  put(common, name.size(), 2);

  std::string header;
  put(header, kLocalSignature, 4);
  header += common;
  put(header, extra.size(), 2);
  write(header + name + extra);
  write(bytes);

  std::string wide_field;
  const bool wide_offset = header_offset >= kIn64;
  if (wide || wide_offset) {
    put(wide_field, 1, 2);
    put(wide_field, (wide ? 16u : 0u) + (wide_offset ? 8u : 0u), 2);
    if (wide) put(wide_field, bytes.size(), 8);
    if (wide) put(wide_field, bytes.size(), 8);
    if (wide_offset) put(wide_field, header_offset, 8);
  }
  put(directory_, kDirectorySignature, 4);
  put(directory_, 45, 2);
  directory_ += common;
  put(directory_, wide_field.size(), 2);
  directory_.append(2 + 2 + 2 + 4, '\0');  // comment, disk, attributes
  put(directory_, wide_offset ? kIn64 : header_offset, 4);
  directory_ += name + wide_field;
  ++entries_;
}

void ZipWriter::finish() {
  const uint64_t at = offset_;
  const uint64_t size = directory_.size();
  std::string end;
  const bool wide = at >= kIn64 || size >= kIn64 || entries_ >= 0xFFFF;
  if (wide) {
    put(end, kEnd64Signature, 4);
    put(end, kEnd64Size - 12, 8);
    put(end, 45, 2);
    put(end, 45, 2);
    put(end, 0, 4 + 4);
    put(end, entries_, 8);
    put(end, entries_, 8);
    put(end, size, 8);
    put(end, at, 8);
    put(end, kLocator64Signature, 4);
    put(end, 0, 4);
    put(end, at + size, 8);
    put(end, 1, 4);
  }
  put(end, kEndSignature, 4);
  put(end, 0, 2 + 2);
  put(end, std::min<uint64_t>(entries_, 0xFFFF), 2);
  put(end, std::min<uint64_t>(entries_, 0xFFFF), 2);
  put(end, std::min<uint64_t>(size, kIn64), 4);
  put(end, std::min<uint64_t>(at, kIn64), 4);
  put(end, 0, 2);
  write(directory_ + end);
}

}  // namespace spanforge
