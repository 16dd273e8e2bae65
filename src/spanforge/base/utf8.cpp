#include "spanforge/base/utf8.h"

#include <algorithm>
#include <cstring>

namespace spanforge {
namespace {

bool is_continuation(unsigned char c) { return (c & 0xC0) == 0x80; }

// The first byte at or after i that is not ASCII. Checks eight bytes a step.
size_t skip_ascii(std::string_view text, size_t i) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  for (uint64_t eight; i + sizeof eight <= text.size(); i += sizeof eight) {
    std::memcpy(&eight, text.data() + i, sizeof eight);
    if ((eight & kHighBits) != 0) break;
  }
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) ++i;
  return i;
}

// As in Python: negative positions count from the end, then all are clamped.
size_t python_bound(int64_t position, size_t size) {
  const auto n = static_cast<int64_t>(size);
  if (position < 0) position = std::max<int64_t>(0, position + n);
  return static_cast<size_t>(std::min(position, n));
}

}  // namespace

std::optional<size_t> find_invalid_utf8(std::string_view text) {
  size_t i = 0;
  const size_t n = text.size();
  const auto byte = [&](size_t k) { return static_cast<unsigned char>(text[k]); };
  while (i < n) {
    const unsigned char c = byte(i);
    if (c < 0x80) {
      i = skip_ascii(text, i);
      continue;
    }
    // Fast path for three bytes: nearly all of Chinese, Japanese and Korean.
    if (c >= 0xE1 && c <= 0xEC && n - i >= 3 && is_continuation(byte(i + 1)) &&
        is_continuation(byte(i + 2))) {
      i += 3;
      continue;
    }
    size_t length = 0;
    unsigned char low = 0x80, high = 0xBF;  // allowed range of the second byte
    if (c >= 0xC2 && c <= 0xDF) {
      length = 2;
    } else if (c >= 0xE0 && c <= 0xEF) {
      length = 3;
      if (c == 0xE0) low = 0xA0;
      if (c == 0xED) high = 0x9F;
    } else if (c >= 0xF0 && c <= 0xF4) {
      length = 4;
      if (c == 0xF0) low = 0x90;
      if (c == 0xF4) high = 0x8F;
    } else {
      return i;
    }
    if (i + length > n || byte(i + 1) < low || byte(i + 1) > high) return i;
    for (size_t k = 2; k < length; ++k) {
      if (!is_continuation(byte(i + k))) return i;
    }
    i += length;
  }
  return std::nullopt;
}

char32_t next_code_point(std::string_view text, size_t& pos) {
  const auto byte = [&](size_t k) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[pos + k]));
  };
  const char32_t c = byte(0);
  if (c < 0x80) {
    pos += 1;
    return c;
  }
  char32_t result;
  if (c < 0xE0) {
    result = (c & 0x1F) << 6 | (byte(1) & 0x3F);
    pos += 2;
  } else if (c < 0xF0) {
    result = (c & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    pos += 3;
  } else {
    result = (c & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
    pos += 4;
  }
  return result;
}

void append_utf8(char32_t c, std::string& out) {
  const auto put = [&](char32_t b) { out += static_cast<char>(static_cast<unsigned char>(b)); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
}

size_t count_code_points(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return !is_continuation(static_cast<unsigned char>(c));
  }));
}

std::u32string decode_utf8(std::string_view text) {
  std::u32string out;
  out.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) out += next_code_point(text, pos);
  return out;
}

std::string encode_utf8(std::u32string_view code_points) {
  std::string out;
  out.reserve(code_points.size());
  for (char32_t c : code_points) append_utf8(c, out);
  return out;
}

CodePointIndex::CodePointIndex(std::string_view text) {
  if (skip_ascii(text, 0) == text.size()) {
    size_ = text.size();
    return;
  }
  starts_.reserve(text.size() / 2 + 1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (!is_continuation(static_cast<unsigned char>(text[i]))) {
      starts_.push_back(static_cast<uint32_t>(i));
    }
  }
  size_ = starts_.size();
  starts_.push_back(static_cast<uint32_t>(text.size()));
}

std::string slice_code_points(std::string_view text, const CodePointIndex& index, int64_t start,
                              int64_t end) {
  const size_t a = python_bound(start, index.size());
  const size_t b = python_bound(end, index.size());
  if (b <= a) return {};
  const size_t first = index.byte_offset(a);
  return std::string(text.substr(first, index.byte_offset(b) - first));
}

std::string slice_code_points(std::string_view text, int64_t start, int64_t end) {
  return slice_code_points(text, CodePointIndex(text), start, end);
}

}  // namespace spanforge
