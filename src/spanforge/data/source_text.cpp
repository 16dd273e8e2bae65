#include "spanforge/data/source_text.h"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/core.h>
#include <unicode/ucnv.h>

#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/data/unread_kind.h"

namespace spanforge {
namespace {

using namespace std::string_view_literals;

// The encoding is recognised by this many bytes.
constexpr size_t kSample = size_t{4} << 20;

struct Mark {
  std::string_view bytes, encoding;
};
// UTF-32LE's mark begins with UTF-16LE's.
constexpr std::array kMarks = {Mark{"\xEF\xBB\xBF"sv, "UTF-8"}, Mark{"\xFF\xFE\0\0"sv, "UTF-32LE"},
                               Mark{"\0\0\xFE\xFF"sv, "UTF-32BE"}, Mark{"\xFF\xFE"sv, "UTF-16LE"},
                               Mark{"\xFE\xFF"sv, "UTF-16BE"}};

uint8_t byte_at(std::string_view bytes, size_t i) { return static_cast<uint8_t>(bytes[i]); }

struct Converter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using ConverterPtr = std::unique_ptr<UConverter, Converter>;

// nullptr: ICU does not know the encoding.
ConverterPtr open_converter(const std::string& name) {
  UErrorCode status = U_ZERO_ERROR;
  ConverterPtr converter(ucnv_open(name.c_str(), &status));
  if (U_FAILURE(status)) return nullptr;
  ucnv_setToUCallBack(converter.get(), UCNV_TO_U_CALLBACK_STOP, nullptr, nullptr, nullptr, &status);
  return U_FAILURE(status) ? nullptr : std::move(converter);
}

// Appends the bytes as UTF-8. Returns the position of a byte that does not fit the encoding.
std::optional<size_t> convert(UConverter* from, std::string_view bytes, std::string& out) {
  UErrorCode status = U_ZERO_ERROR;
  const ConverterPtr to(ucnv_open("UTF-8", &status));
  std::array<UChar, 8192> pivot;
  UChar *pivot_source = pivot.data(), *pivot_target = pivot.data();
  const char *source = bytes.data(), *const source_end = source + bytes.size();
  std::array<char, 1 << 16> piece;
  do {
    char* target = piece.data();
    status = U_ZERO_ERROR;
    ucnv_convertEx(to.get(), from, &target, piece.data() + piece.size(), &source, source_end,
                   pivot.data(), &pivot_source, &pivot_target, pivot.data() + pivot.size(),
                   out.empty() && source == bytes.data(), /*flush=*/true, &status);
    out.append(piece.data(), target);
  } while (status == U_BUFFER_OVERFLOW_ERROR);
  if (U_SUCCESS(status)) return std::nullopt;
  // The converter holds the bytes that it could not convert, the last ones that it took.
  std::array<char, 32> bad;
  auto length = static_cast<int8_t>(bad.size());
  UErrorCode asked = U_ZERO_ERROR;
  ucnv_getInvalidChars(from, bad.data(), &length, &asked);
  const auto taken = static_cast<size_t>(source - bytes.data());
  const size_t held = U_SUCCESS(asked) ? static_cast<size_t>(length) : 0;
  return taken - std::min(taken, held);
}

// A data file has line ends, quotes, commas or brackets, and no control characters. Read in the
// wrong byte order, 一 (U+4E00) is N, but no common character becomes one of these marks.
struct UnitCounts {
  size_t marks = 0, ascii = 0, bad = 0;
};

UnitCounts count_units(std::string_view sample, bool little) {
  UnitCounts counts;
  for (size_t i = 0; i + 1 < sample.size(); i += 2) {
    const unsigned low = byte_at(sample, i + (little ? 0 : 1));
    const unsigned unit = low | static_cast<unsigned>(byte_at(sample, i + (little ? 1 : 0))) << 8;
    constexpr std::string_view kMarksOfText = "\t\n\r\",;:{}[]";
    if (unit < 0x7F && unit > 0 &&
        kMarksOfText.find(static_cast<char>(unit)) != std::string_view::npos)
      ++counts.marks;
    if (unit >= ' ' && unit < 0x7F) ++counts.ascii;
    if (unit < '\t' || (unit >= 0xE000 && unit < 0xF900) || unit >= 0xFFFE) ++counts.bad;
  }
  return counts;
}

// The number of bytes that UTF-8 text does not have: invalid ones and control characters. A damaged
// file has some, too; only many of them indicate another encoding.
size_t count_odd_for_utf8(std::string_view sample) {
  size_t odd = 0;
  while (!sample.empty()) {
    const std::optional<size_t> invalid = find_invalid_utf8(sample);
    odd += static_cast<size_t>(
        std::ranges::count_if(sample.substr(0, invalid.value_or(sample.size())), [](char c) {
          return (c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
        }));
    if (!invalid) break;
    ++odd;
    sample.remove_prefix(*invalid + 1);
  }
  return odd;
}

// UTF-16 without a mark. Each ASCII character has a zero byte; most others have a byte that is
// unusual in UTF-8 (Chinese, Korean, Cyrillic, Thai ...: at least a seventh of the bytes).
std::optional<std::string_view> guess_utf16(std::string_view bytes) {
  const std::string_view sample = bytes.substr(0, size_t{64} << 10);
  if (bytes.size() % 2 != 0 || sample.find('\0') == std::string_view::npos) return std::nullopt;
  if (count_odd_for_utf8(sample) * 16 < sample.size()) return std::nullopt;
  const UnitCounts little = count_units(sample, true), big = count_units(sample, false);
  const bool is_little = std::pair(little.marks, little.ascii) > std::pair(big.marks, big.ascii);
  const UnitCounts& better = is_little ? little : big;
  if (better.marks == 0 || better.bad > 0) return std::nullopt;
  return is_little ? "UTF-16LE"sv : "UTF-16BE"sv;
}

// Counts pairs of bytes by their meaning in GB18030, which contains GB 2312: common characters in
// rows 16 to 55 (0xB0 to 0xD7), punctuation, full-width letters and kana in rows 1 to 9.
struct PairCounts {
  size_t pairs = 0, common = 0, rare = 0, kana = 0, low_rows = 0;
};

PairCounts count_pairs(std::string_view sample) {
  PairCounts counts;
  for (size_t i = 0; i + 1 < sample.size();) {
    const uint8_t lead = byte_at(sample, i), trail = byte_at(sample, i + 1);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    if (trail >= '0' && trail <= '9') {  // four bytes: a character outside of GBK
      i += 4;
      continue;
    }
    i += 2;
    ++counts.pairs;
    if (trail >= 0xA1 && (lead == 0xA4 || lead == 0xA5)) ++counts.kana;
    if (trail >= 0xA1 && lead >= 0xB0 && lead <= 0xC8) ++counts.low_rows;
    if (trail >= 0xA1 && ((lead >= 0xB0 && lead <= 0xD7) || (lead >= 0xA1 && lead <= 0xA3))) {
      ++counts.common;
    } else if (trail < 0xA1 || lead < 0xA1) {
      ++counts.rare;
    }
  }
  return counts;
}

// Accented Latin letters, Big5 and Shift_JIS give pairs outside GB 2312; EUC-JP has many kana; in
// EUC-KR every syllable is in the first half of the common rows.
bool reads_as_chinese(std::string_view sample) {
  const PairCounts counts = count_pairs(sample);
  if (counts.pairs < 2 || counts.common * 100 < counts.pairs * 85) return false;
  if (counts.rare * 100 > counts.pairs * 10 || counts.kana * 10 > counts.pairs) return false;
  return counts.pairs < 20 || counts.low_rows * 100 < counts.pairs * 92;
}

// Whether the sample is UTF-8, except for a truncated sequence at its end.
bool is_utf8_sample(std::string_view bytes) {
  const std::string_view sample = bytes.substr(0, kSample);
  const std::optional<size_t> invalid = find_invalid_utf8(sample);
  return !invalid || (sample.size() < bytes.size() && *invalid + 4 > sample.size());
}

// The bytes from `begin` on.
SourceText converted_from(std::string_view bytes, size_t begin, const std::string& encoding,
                          const std::filesystem::path& file) {
  const ConverterPtr converter = open_converter(encoding);
  if (converter == nullptr) {
    throw Error(ErrorCode::kUsage, {.parameter = "encoding"},
                fmt::format("\"{}\" is not a known encoding; give a name like UTF-16LE, GB18030, "
                            "GBK, Big5, Shift_JIS, EUC-KR, windows-1252",
                            quote_for_message(encoding)));
  }
  SourceText source;
  source.encoding = encoding;
  if (const auto at = convert(converter.get(), bytes.substr(begin), source.converted)) {
    throw Error(
        ErrorCode::kBadData, file.string(),
        fmt::format("is not {}: byte {} does not fit; give the file's encoding with `encoding`",
                    quote_for_message(encoding), begin + *at));
  }
  if (source.converted.starts_with(kMarks[0].bytes))
    source.converted.erase(0, kMarks[0].bytes.size());
  source.text = source.converted;
  return source;
}

// The usual names of UTF-8.
bool names_utf8(std::string_view encoding) {
  std::string plain;
  for (const char c : encoding) {
    if (c != '-' && c != '_') plain += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  }
  return plain == "utf8" || plain == "utf8sig" || plain == "utf8bom";
}

}  // namespace

SourceText::SourceText(SourceText&& other) noexcept { *this = std::move(other); }

SourceText& SourceText::operator=(SourceText&& other) noexcept {
  const bool own = other.text.data() == other.converted.data();
  converted = std::move(other.converted);
  encoding = std::move(other.encoding);
  text = own ? std::string_view(converted) : other.text;
  return *this;
}

SourceText read_source_text(std::string_view bytes, const std::filesystem::path& file,
                            const std::string& encoding) {
  const auto plain = [&](std::string_view text) {
    SourceText source;
    source.text = text;
    source.encoding = "UTF-8";
    return source;
  };
  if (const auto kind = unread_kind(bytes)) throw Error(ErrorCode::kBadData, file.string(), *kind);
  const auto* mark =
      std::ranges::find_if(kMarks, [&](const Mark& one) { return bytes.starts_with(one.bytes); });
  if (mark != kMarks.end() && mark->encoding == "UTF-8"sv) {
    // The mark is proof; another encoding would damage the text.
    return plain(bytes.substr(mark->bytes.size()));
  }
  if (!encoding.empty() && !names_utf8(encoding)) return converted_from(bytes, 0, encoding, file);
  if (!encoding.empty()) {
    if (const auto at = find_invalid_utf8(bytes)) {
      throw Error(ErrorCode::kBadData, file.string(),
                  fmt::format("is not UTF-8: byte {} does not fit", *at));
    }
    return plain(bytes);
  }
  if (mark != kMarks.end()) {
    return converted_from(bytes, mark->bytes.size(), std::string(mark->encoding), file);
  }
  if (const auto guess = guess_utf16(bytes)) {
    return converted_from(bytes, 0, std::string(*guess), file);
  }
  if (is_utf8_sample(bytes) || !reads_as_chinese(bytes.substr(0, kSample))) return plain(bytes);
  const ConverterPtr gb = open_converter("GB18030");
  SourceText source;
  source.encoding = "GB18030";
  if (gb == nullptr || convert(gb.get(), bytes, source.converted)) return plain(bytes);
  source.text = source.converted;
  return source;
}

}  // namespace spanforge
