#include "spanforge/text/byte_level.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "spanforge/base/utf8.h"
#include "spanforge/text/gpt2_pattern.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {
namespace {

constexpr bool is_printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr std::array<char16_t, 256> make_chars() {
  std::array<char16_t, 256> chars{};
  char16_t next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    chars[byte] = is_printable(byte) ? static_cast<char16_t>(byte) : next++;
  }
  return chars;
}
constexpr std::array<char16_t, 256> kChars = make_chars();
constexpr char32_t kCharLimit = 0x144;  // one after the last

constexpr std::array<int16_t, kCharLimit> make_bytes() {
  std::array<int16_t, kCharLimit> bytes{};
  for (int16_t& byte : bytes) byte = -1;
  for (unsigned byte = 0; byte < 256; ++byte) bytes[kChars[byte]] = static_cast<int16_t>(byte);
  return bytes;
}
constexpr std::array<int16_t, kCharLimit> kBytes = make_bytes();

bool is_trimmed(char32_t c) {
  return c == kByteLevelSpace || unicode::has(c, unicode::kWhitespace);
}

// The bytes of a token's characters; the token itself if a character has no byte.
void append_bytes(const std::string& token, std::string& out) {
  const size_t before = out.size();
  for (size_t at = 0; at < token.size();) {
    const char32_t c = next_code_point(token, at);
    const int32_t byte = byte_level_byte(c);
    if (byte < 0) {
      out.resize(before);
      out += token;
      return;
    }
    out += static_cast<char>(byte);
  }
}

// The length of the longest prefix of text[at...] that is a code point or could begin one, and
// whether it is one.
std::pair<size_t, bool> next_piece(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  unsigned char low = 0x80, high = 0xBF;  // of the second byte
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  for (size_t i = 1; i < size; ++i, low = 0x80, high = 0xBF) {
    if (at + i == text.size() || byte(at + i) < low || byte(at + i) > high) return {i, false};
  }
  return {size, true};
}

std::string to_valid_utf8(std::string bytes) {
  if (!find_invalid_utf8(bytes)) return bytes;
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const auto [size, is_valid] = next_piece(bytes, at);
    if (is_valid) {
      out.append(bytes, at, size);
    } else {
      out += "\uFFFD";
    }
    at += size;
  }
  return out;
}

}  // namespace

char32_t byte_level_char(unsigned char byte) { return kChars[byte]; }
int32_t byte_level_byte(char32_t c) { return c < kCharLimit ? kBytes[c] : -1; }

void ByteLevelPreTokenizer::apply(PreTokenizedText& text, PreTokenizedText& scratch) const {
  scratch.text.clear(), scratch.words.clear();
  std::vector<char32_t> chars;
  std::string bytes;
  for (const CharRange& word : text.words) {
    const char32_t* const written = text.text.chars.data() + word.begin;
    const int32_t prefix = options_.add_prefix_space && *written != U' ' ? 1 : 0;
    chars.assign(static_cast<size_t>(prefix), U' ');
    chars.insert(chars.end(), written, written + (word.end - word.begin));
    const char32_t* const begin = chars.data();
    const char32_t* const end = begin + chars.size();
    for (const char32_t* p = begin; p != end;) {
      const char32_t* const stop = options_.use_regex ? Gpt2Pattern::match_end(p, end) : end;
      const int32_t word_begin = scratch.text.size();
      for (; p != stop; ++p) {
        // The added space has the first character's span.
        const auto place = std::max(static_cast<int32_t>(p - begin) - prefix, 0);
        const CharSpan span = text.text.spans[static_cast<size_t>(word.begin + place)];
        bytes.clear();
        append_utf8(*p, bytes);
        for (const char byte : bytes) {
          scratch.text.push(byte_level_char(static_cast<unsigned char>(byte)), span);
        }
      }
      scratch.words.push_back({word_begin, scratch.text.size()});
    }
  }
  std::swap(text, scratch);
}

void ByteLevelDecoder::decode(std::vector<std::string>& tokens) const {
  std::string bytes;
  for (const std::string& token : tokens) append_bytes(token, bytes);
  tokens.assign(1, to_valid_utf8(std::move(bytes)));
}

OffsetTrimmer::OffsetTrimmer(const Vocabulary& vocabulary, bool prefixed)
    : spaces_(static_cast<size_t>(vocabulary.id_limit())), prefixed_(prefixed) {
  static_assert(Vocabulary::kMaxTokenBytes <= std::numeric_limits<uint16_t>::max());
  for (int32_t id = 0; id < vocabulary.id_limit(); ++id) {
    const std::u32string token = decode_utf8(vocabulary.token(id));
    const auto leading = std::find_if_not(token.begin(), token.end(), is_trimmed) - token.begin();
    const auto trailing =
        std::find_if_not(token.rbegin(), token.rend(), is_trimmed) - token.rbegin();
    spaces_[static_cast<size_t>(id)] = {static_cast<uint16_t>(leading),
                                        static_cast<uint16_t>(trailing)};
  }
}

CharSpan OffsetTrimmer::trimmed(CharSpan span, int32_t leading, int32_t trailing,
                                bool is_first) const {
  if (prefixed_ && leading == 1 && (is_first || span.start == 0)) leading = 0;
  span.start = std::min(span.start + leading, span.end);
  if (span.end >= trailing) span.end = std::max(span.end - trailing, span.start);
  return span;
}

void OffsetTrimmer::trim(TokenBuffer& tokens, size_t first,
                         std::span<const SpeltToken> added) const {
  if (prefixed_ && tokens.first_offsets.size() < tokens.size()) {
    tokens.first_offsets.insert(tokens.first_offsets.end(),
                                tokens.offsets.begin() + static_cast<std::ptrdiff_t>(first),
                                tokens.offsets.end());
  }
  auto spelt = added.begin();
  for (size_t i = first; i < tokens.size(); ++i) {
    int32_t leading = 0, trailing = 0;
    if (spelt != added.end() && spelt->index == i) {
      leading = spelt->leading, trailing = spelt->trailing;
      ++spelt;
    } else {
      const Spaces& spaces = spaces_[static_cast<size_t>(tokens.ids[i])];
      leading = spaces.leading, trailing = spaces.trailing;
    }
    if (leading == 0 && trailing == 0) continue;
    tokens.offsets[i] = trimmed(tokens.offsets[i], leading, trailing, i == first);
    if (tokens.first_offsets.empty()) continue;
    tokens.first_offsets[i] = trimmed(tokens.first_offsets[i], leading, trailing, true);
  }
}

std::unique_ptr<const PreTokenizer> build_byte_level_pre_tokenizer(const JsonView& json,
                                                                   const PartContext& context) {
  ByteLevelOptions options;
  options.add_prefix_space =
      context.overrides.add_prefix_space.value_or(json.at("add_prefix_space").boolean());
  options.use_regex = json.boolean_or("use_regex", true);
  return std::make_unique<ByteLevelPreTokenizer>(options);
}

std::unique_ptr<const OffsetTrimmer> build_offset_trimmer(const JsonView& json,
                                                          const PartContext& context) {
  const ConfigOverrides& over = context.overrides;
  if (!over.trim_offsets.value_or(json.at("trim_offsets").boolean())) return nullptr;
  return std::make_unique<OffsetTrimmer>(
      *context.vocabulary,
      over.trims_as_if_prefixed.value_or(json.at("add_prefix_space").boolean()));
}

std::unique_ptr<const PostProcessor> build_byte_level_post_processor(const JsonView& json,
                                                                     const PartContext& context) {
  return std::make_unique<ByteLevelPostProcessor>(build_offset_trimmer(json, context));
}

std::unique_ptr<const Decoder> build_byte_level_decoder(const JsonView&, const PartContext&) {
  return std::make_unique<ByteLevelDecoder>();
}

}  // namespace spanforge
