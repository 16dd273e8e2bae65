#include "spanforge/text/tokenizer.h"

#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/text/byte_level.h"
#include "spanforge/text/tokenizer_impl.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

// Working space of one thread, so that a text costs no allocation once the arrays have grown.
struct Scratch {
  std::vector<char32_t> raw;
  NormalizedText text, spare;
  std::vector<AddedMatch> stretches, pieces;
  PreTokenizedText cut, spare_cut;

  void release_if_large() {
    constexpr size_t kKept = 1 << 20;
    if (raw.capacity() > kKept || text.chars.capacity() > kKept ||
        cut.text.chars.capacity() > kKept) {
      *this = Scratch();
    }
  }
};

void decode_text(std::string_view text, std::vector<char32_t>& out) {
  out.resize(text.size());
  size_t n = 0;
  for (size_t pos = 0; pos < text.size();) out[n++] = next_code_point(text, pos);
  out.resize(n);
}

std::string to_utf8(std::span<const char32_t> chars, CharRange range) {
  std::string out;
  for (int32_t i = range.begin; i < range.end; ++i) append_utf8(chars[i], out);
  return out;
}

// The data that the post-processor needs about an added token with this index.
SpeltToken ends_of(size_t index, std::span<const char32_t> chars, CharRange range) {
  const auto is_space = [&](int32_t i) {
    const char32_t c = chars[static_cast<size_t>(i)];
    return c == kByteLevelSpace || unicode::has(c, unicode::kWhitespace);
  };
  SpeltToken ends{index};
  while (range.begin + ends.leading < range.end && is_space(range.begin + ends.leading)) {
    ++ends.leading;
  }
  while (range.begin < range.end - ends.trailing && is_space(range.end - ends.trailing - 1)) {
    ++ends.trailing;
  }
  return ends;
}

// The destination of one text's tokens.
struct Sink {
  TokenBuffer& out;
  std::vector<std::pair<size_t, std::string>>* spelt;
  std::vector<SpeltToken>& ends;
  int32_t word_id = 0;

  void put_added(const AddedMatch& match, CharSpan span, std::span<const char32_t> chars) {
    if (spelt != nullptr) spelt->emplace_back(out.size(), to_utf8(chars, match.range));
    ends.push_back(ends_of(out.size(), chars, match.range));
    out.ids.push_back(match.token->id);
    out.offsets.push_back(span);
    out.word_ids.push_back(word_id++);
  }
};

void check(const Truncation& truncation, int32_t room) {
  if (truncation.max_length < 0 || truncation.stride < 0) {
    throw Error(ErrorCode::kUsage, {.parameter = "truncation"},
                "maximum length and overlap cannot be negative");
  }
  if (truncation.stride > 0 && truncation.stride >= room) {
    throw Error(
        ErrorCode::kUsage, {.parameter = "truncation"},
        fmt::format("an overlap of {} tokens leaves no step: a window has room for {} tokens "
                    "and the special ones",
                    truncation.stride, std::max(room, 0)));
  }
}

void apply_padding(Encoding& encoding, size_t longest, const Padding& padding,
                   const Tokenizer& tokenizer) {
  const int32_t pad_id = tokenizer.special_tokens().pad;
  if (pad_id < 0)
    throw Error(ErrorCode::kUsage, {.parameter = "padding"}, "this tokenizer has no padding token");
  if (padding.length.value_or(0) < 0) {
    throw Error(ErrorCode::kUsage, {.parameter = "padding"}, "the length cannot be negative");
  }
  pad(encoding, padded_length(longest, padding), pad_id, std::string(tokenizer.id_to_token(pad_id)),
      padding.side);
}

Encoding encode_texts(const Vocabulary& vocabulary, const Template& pieces,
                      const TokenizedText& first, const TokenizedText* second,
                      const EncodeOptions& options) {
  const auto n1 = static_cast<int32_t>(first.tokens.size());
  const int32_t n2 = second != nullptr ? static_cast<int32_t>(second->tokens.size()) : -1;
  PairWindows windows{{{0, n1}}, {{0, std::max(n2, 0)}}};
  if (options.truncation) {
    const int32_t specials = options.add_special_tokens ? pieces.special_token_count() : 0;
    const int32_t room = options.truncation->max_length - specials;
    check(*options.truncation, room);
    windows = truncate(n1, n2, room, *options.truncation);
  }
  return EncodingBuilder(vocabulary, &first, second)
      .build(pieces, windows, options.add_special_tokens);
}

// The tokens of up to two texts before they become an Encoding. Each thread reuses its own, so that
// they cost no allocation once the arrays have grown.
class TextsLoan {
 public:
  TextsLoan() {
    for (TokenizedText& text : texts()) text.tokens.clear(), text.spelt.clear();
  }
  ~TextsLoan() {
    constexpr size_t kKept = 1 << 18;
    for (TokenizedText& text : texts()) {
      if (text.tokens.ids.capacity() > kKept) text = TokenizedText();
    }
  }
  TextsLoan(const TextsLoan&) = delete;
  TextsLoan& operator=(const TextsLoan&) = delete;
  TokenizedText& operator[](size_t i) const { return texts()[i]; }

 private:
  static std::array<TokenizedText, 2>& texts() {
    thread_local std::array<TokenizedText, 2> of_thread;
    return of_thread;
  }
};

// Encodes a batch in parallel and pads it as one.
template <class EncodeOne>
std::vector<Encoding> encode_all(const Tokenizer& tokenizer, size_t count,
                                 const EncodeOptions& options, const EncodeOne& encode_one) {
  EncodeOptions unpadded = options;
  unpadded.padding.reset();
  std::vector<Encoding> encodings(count);
  parallel_for(static_cast<int64_t>(count), 16, [&](int64_t i) {
    encodings[static_cast<size_t>(i)] = encode_one(static_cast<size_t>(i), unpadded);
  });
  if (options.padding) {
    size_t longest = 0;
    for (const Encoding& e : encodings) longest = std::max(longest, e.ids.size());
    for (Encoding& e : encodings) apply_padding(e, longest, *options.padding, tokenizer);
  }
  return encodings;
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

void Tokenizer::Impl::tokenize(std::string_view text, TokenBuffer& out,
                               std::vector<std::pair<size_t, std::string>>* spelt) const {
  if (const auto bad = find_invalid_utf8(text)) {
    throw Error(ErrorCode::kBadData, {.where = "text"},
                fmt::format("invalid UTF-8 at byte {}", *bad));
  }
  const size_t before = out.size();
  thread_local std::vector<SpeltToken> ends;
  ends.clear();
  if (fast_path == nullptr || !fast_path->tokenize(text, out)) {
    tokenize_by_parts(text, out, spelt, ends);
  }
  post_processor->place(out, before, ends);
}

void Tokenizer::Impl::tokenize_by_parts(std::string_view text, TokenBuffer& out,
                                        std::vector<std::pair<size_t, std::string>>* spelt,
                                        std::vector<SpeltToken>& ends) const {
  thread_local Scratch s;
  decode_text(text, s.raw);
  s.stretches.clear();
  added.find(s.raw, false, s.stretches);
  Sink sink{out, spelt, ends};
  for (const AddedMatch& stretch : s.stretches) {
    if (stretch.token != nullptr) {
      sink.put_added(stretch, {stretch.range.begin, stretch.range.end}, s.raw);
      continue;
    }
    s.text.chars.assign(s.raw.begin() + stretch.range.begin, s.raw.begin() + stretch.range.end);
    s.text.spans.resize(s.text.chars.size());
    for (int32_t i = 0; i < s.text.size(); ++i) {
      s.text.spans[i] = {stretch.range.begin + i, stretch.range.begin + i + 1};
    }
    if (normalizer != nullptr) normalizer->apply(s.text, s.spare);
    s.pieces.clear();
    added.find(s.text.chars, true, s.pieces);
    for (const AddedMatch& piece : s.pieces) {
      const auto [begin, end] = piece.range;
      if (piece.token != nullptr) {
        sink.put_added(piece, {s.text.spans[begin].start, s.text.spans[end - 1].end}, s.text.chars);
        continue;
      }
      NormalizedText& stretch_text = s.cut.text;
      stretch_text.chars.assign(s.text.chars.begin() + begin, s.text.chars.begin() + end);
      stretch_text.spans.assign(s.text.spans.begin() + begin, s.text.spans.begin() + end);
      s.cut.words.assign(1, {0, end - begin});
      if (pre_tokenizer != nullptr) pre_tokenizer->apply(s.cut, s.spare_cut);
      model->tokenize(s.cut.text, s.cut.words, sink.word_id, out);
      sink.word_id += static_cast<int32_t>(s.cut.words.size());
    }
  }
  s.release_if_large();
}

void Tokenizer::tokenize(std::string_view text, TokenBuffer& out) const {
  impl_->tokenize(text, out, nullptr);
}

Encoding Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  const TextsLoan texts;
  TokenizedText& first = texts[0];
  impl_->tokenize(text, first.tokens, &first.spelt);
  Encoding encoding =
      encode_texts(impl_->model->vocabulary(), impl_->single, first, nullptr, options);
  if (options.padding) apply_padding(encoding, encoding.ids.size(), *options.padding, *this);
  return encoding;
}

Encoding Tokenizer::encode_pair(std::string_view first_text, std::string_view second_text,
                                const EncodeOptions& options) const {
  const TextsLoan texts;
  TokenizedText &first = texts[0], &second = texts[1];
  impl_->tokenize(first_text, first.tokens, &first.spelt);
  impl_->tokenize(second_text, second.tokens, &second.spelt);
  Encoding encoding =
      encode_texts(impl_->model->vocabulary(), impl_->pair, first, &second, options);
  if (options.padding) apply_padding(encoding, encoding.ids.size(), *options.padding, *this);
  return encoding;
}

std::vector<Encoding> Tokenizer::encode_batch(const std::vector<std::string>& texts,
                                              const EncodeOptions& options) const {
  return encode_all(*this, texts.size(), options, [&](size_t i, const EncodeOptions& unpadded) {
    return encode(texts[i], unpadded);
  });
}

std::vector<Encoding> Tokenizer::encode_pair_batch(
    const std::vector<std::pair<std::string, std::string>>& pairs,
    const EncodeOptions& options) const {
  return encode_all(*this, pairs.size(), options, [&](size_t i, const EncodeOptions& unpadded) {
    return encode_pair(pairs[i].first, pairs[i].second, unpadded);
  });
}

std::string Tokenizer::decode(const std::vector<int32_t>& ids, bool skip_special_tokens,
                              std::optional<bool> clean_up) const {
  std::vector<std::string> tokens;
  tokens.reserve(ids.size());
  for (const int32_t id : ids) {
    const AddedToken* added = impl_->added.find_id(id);
    if (added == nullptr && !impl_->model->vocabulary().has_id(id)) continue;
    if (skip_special_tokens && added != nullptr && added->special) continue;
    tokens.emplace_back(id_to_token(id));
  }
  impl_->decoder->decode(tokens);
  std::string text;
  for (const std::string& part : tokens) text += part;
  return clean_up.value_or(impl_->cleans_up) ? clean_up_tokenization(std::move(text)) : text;
}

std::string Tokenizer::decode_each(std::span<const int32_t> ids) const {
  std::string text;
  for (const int32_t id : ids) text += decode({id}, false);
  return text;
}

const std::vector<TemplatePiece>& Tokenizer::pair_template() const { return impl_->pair.pieces; }
int32_t Tokenizer::special_token_count(bool pair) const {
  return impl_->pieces(pair).special_token_count();
}
const SpecialTokens& Tokenizer::special_tokens() const { return impl_->special; }

size_t Tokenizer::vocabulary_size() const {
  return static_cast<size_t>(
      std::max(impl_->model->vocabulary().id_limit(), impl_->added.id_limit()));
}

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const {
  if (const AddedToken* added = impl_->added.find_content(std::string(token))) return added->id;
  return impl_->model->vocabulary().find(token);
}

std::string_view Tokenizer::id_to_token(int32_t id) const {
  if (const AddedToken* added = impl_->added.find_id(id)) return added->content;
  return impl_->model->vocabulary().token(id);
}

std::optional<int32_t> Tokenizer::model_max_length() const { return impl_->model_max_length; }
const std::optional<std::string>& Tokenizer::note() const { return impl_->note; }

}  // namespace spanforge
