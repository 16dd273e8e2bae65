#include "spanforge/text/encoding.h"

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

[[noreturn]] void fail(const std::string& reason) {
  throw Error(ErrorCode::kUsage, {.parameter = "truncation"}, reason);
}

// Windows of `size` tokens, `max_length` long, that overlap by `stride`.
TokenWindows windows_of(int32_t size, int32_t max_length, int32_t stride) {
  if (max_length >= size) return {{0, size}};
  if (max_length == 0) return {{0, 0}, {0, size}};  // as in HF, the whole text overflows
  if (stride >= max_length) {
    fail(fmt::format("an overlap of {} tokens leaves no step in windows of {} tokens", stride,
                     max_length));
  }
  TokenWindows windows;
  for (int32_t begin = 0;; begin += max_length - stride) {
    const int32_t end = std::min(begin + max_length, size);
    windows.emplace_back(begin, end);
    if (end == size) return windows;
  }
}

// Lengths after longest_first: the shorter text stays whole if it takes at most half.
std::pair<int32_t, int32_t> longest_first(int32_t first, int32_t second, int32_t room) {
  const int32_t shorter = std::min(first, second);
  const int32_t half = room / 2;
  if (shorter > half) {
    // Both are truncated. The longer text (the second if equal) gets the odd token.
    return first > second ? std::pair(room - half, half) : std::pair(half, room - half);
  }
  return first > second ? std::pair(room - shorter, shorter) : std::pair(shorter, room - shorter);
}

template <class T>
void pad_array(std::vector<T>& values, size_t count, PaddingSide side, const T& value) {
  values.insert(side == PaddingSide::kLeft ? values.begin() : values.end(), count, value);
}

void reserve(Encoding& encoding, size_t tokens) {
  encoding.ids.reserve(tokens), encoding.type_ids.reserve(tokens);
  encoding.tokens.reserve(tokens), encoding.offsets.reserve(tokens);
  encoding.special_tokens_mask.reserve(tokens), encoding.attention_mask.reserve(tokens);
  encoding.word_ids.reserve(tokens), encoding.sequence_ids.reserve(tokens);
}

}  // namespace

PairWindows truncate(int32_t first, int32_t second, int32_t room, const Truncation& truncation) {
  const bool pair = second >= 0;
  const int32_t excess = first + std::max(second, 0) - room;
  PairWindows windows{{{0, first}}, {}};
  if (pair) windows.second = {{0, second}};
  if (excess <= 0) return windows;
  if (room <= 0) fail("the maximum length leaves no room for tokens other than special ones");
  const int32_t stride = truncation.stride;
  switch (truncation.strategy) {
    case TruncationStrategy::kLongestFirst: {
      const auto [n1, n2] = pair ? longest_first(first, second, room) : std::pair(room, 0);
      windows.first = windows_of(first, n1, stride);
      if (pair) windows.second = windows_of(second, n2, stride);
      break;
    }
    case TruncationStrategy::kOnlyFirst:
      if (first <= excess)
        fail("the first text is too short to be truncated to the maximum length");
      windows.first = windows_of(first, first - excess, stride);
      break;
    case TruncationStrategy::kOnlySecond:
      if (!pair) fail("only_second needs a second text");
      if (second <= excess)
        fail("the second text is too short to be truncated to the maximum length");
      windows.second = windows_of(second, second - excess, stride);
      break;
  }
  return windows;
}

Encoding EncodingBuilder::build(const Template& pieces, const PairWindows& windows,
                                bool add_special_tokens) const {
  // A choice gives the window of each sequence piece. Choices grow piece by piece, in the order of
  // HF's merging: first each overflowing choice so far with every window of the new piece, then the
  // main choice with the piece's overflowing windows.
  std::vector<int32_t> main;
  std::vector<std::vector<int32_t>> overflowing;
  for (const TemplatePiece& piece : pieces.pieces) {
    if (piece.sequence < 0) continue;
    const auto& of_piece = piece.sequence == 0 ? windows.first : windows.second;
    const auto count = static_cast<int32_t>(of_piece.size());
    std::vector<std::vector<int32_t>> grown;
    const auto grow = [&](const std::vector<int32_t>& choice, int32_t from) {
      for (int32_t w = from; w < count; ++w) {
        grown.push_back(choice);
        grown.back().push_back(w);
      }
    };
    for (const auto& choice : overflowing) grow(choice, 0);
    grow(main, 1);
    main.push_back(0);
    overflowing = std::move(grown);
  }
  Encoding result = build_one(pieces, main, windows, add_special_tokens);
  result.overflowing.reserve(overflowing.size());
  for (const auto& choice : overflowing) {
    result.overflowing.push_back(build_one(pieces, choice, windows, add_special_tokens));
  }
  return result;
}

Encoding EncodingBuilder::build_one(const Template& pieces, const std::vector<int32_t>& choice,
                                    const PairWindows& windows, bool add_special_tokens) const {
  Encoding out;
  reserve(out, size_of(pieces, choice, windows, add_special_tokens));
  size_t sequences = 0;
  for (size_t i = 0; i < pieces.pieces.size(); ++i) {
    const TemplatePiece& piece = pieces.pieces[i];
    if (piece.sequence >= 0) {
      const int32_t w = choice[sequences++];
      const auto& of_piece = piece.sequence == 0 ? windows.first : windows.second;
      const bool as_stated =
          w == 0 || !pieces.makes_types || (pieces.types_overflow && add_special_tokens);
      append_sequence(piece.sequence, of_piece[w], as_stated ? piece.type_id : piece.sequence, out);
    } else if (add_special_tokens) {
      out.ids.push_back(piece.token_id);
      out.type_ids.push_back(piece.type_id);
      out.tokens.push_back(pieces.texts[i]);
      out.offsets.push_back({});
      out.special_tokens_mask.push_back(1);
      out.attention_mask.push_back(1);
      out.word_ids.push_back(-1);
      out.sequence_ids.push_back(-1);
    }
  }
  return out;
}

size_t EncodingBuilder::size_of(const Template& pieces, const std::vector<int32_t>& choice,
                                const PairWindows& windows, bool add_special_tokens) {
  size_t size = 0, sequences = 0;
  for (const TemplatePiece& piece : pieces.pieces) {
    if (piece.sequence < 0) {
      size += add_special_tokens ? 1 : 0;
      continue;
    }
    const auto& of_piece = piece.sequence == 0 ? windows.first : windows.second;
    const auto [begin, end] = of_piece[static_cast<size_t>(choice[sequences++])];
    size += static_cast<size_t>(end - begin);
  }
  return size;
}

void EncodingBuilder::append_sequence(int32_t sequence, std::pair<int32_t, int32_t> window,
                                      int32_t type_id, Encoding& out) const {
  const TokenizedText& text = *texts_[sequence];
  const auto [begin, end] = window;
  const auto count = static_cast<size_t>(end - begin);
  const TokenBuffer& t = text.tokens;
  out.ids.insert(out.ids.end(), t.ids.begin() + begin, t.ids.begin() + end);
  out.offsets.insert(out.offsets.end(), t.offsets.begin() + begin, t.offsets.begin() + end);
  if (count > 0 && !t.first_offsets.empty()) {
    out.offsets[out.offsets.size() - count] = t.first_offsets[static_cast<size_t>(begin)];
  }
  out.word_ids.insert(out.word_ids.end(), t.word_ids.begin() + begin, t.word_ids.begin() + end);
  out.type_ids.insert(out.type_ids.end(), count, type_id);
  out.special_tokens_mask.insert(out.special_tokens_mask.end(), count, 0);
  out.attention_mask.insert(out.attention_mask.end(), count, 1);
  out.sequence_ids.insert(out.sequence_ids.end(), count, sequence);
  auto spelt = std::lower_bound(text.spelt.begin(), text.spelt.end(), static_cast<size_t>(begin),
                                [](const auto& s, size_t index) { return s.first < index; });
  for (int32_t i = begin; i < end; ++i) {
    if (spelt != text.spelt.end() && spelt->first == static_cast<size_t>(i)) {
      out.tokens.push_back((spelt++)->second);
    } else {
      out.tokens.emplace_back(vocabulary_.token(t.ids[i]));
    }
  }
}

void pad(Encoding& encoding, size_t length, int32_t pad_id, const std::string& pad_token,
         PaddingSide side) {
  for (Encoding& window : encoding.overflowing) pad(window, length, pad_id, pad_token, side);
  if (encoding.ids.size() >= length) return;
  const size_t count = length - encoding.ids.size();
  pad_array(encoding.ids, count, side, pad_id);
  pad_array(encoding.type_ids, count, side, 0);
  pad_array(encoding.tokens, count, side, pad_token);
  pad_array(encoding.offsets, count, side, CharSpan{});
  pad_array(encoding.special_tokens_mask, count, side, uint8_t{1});
  pad_array(encoding.attention_mask, count, side, uint8_t{0});
  pad_array(encoding.word_ids, count, side, -1);
  pad_array(encoding.sequence_ids, count, side, -1);
}

size_t padded_length(size_t longest, const Padding& padding) {
  size_t length = padding.length ? static_cast<size_t>(*padding.length) : longest;
  const auto multiple = static_cast<size_t>(std::max(padding.multiple_of, 0));
  if (multiple > 0 && length % multiple > 0) length += multiple - length % multiple;
  return length;
}

}  // namespace spanforge
