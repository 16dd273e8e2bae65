#include "spanforge/text/pre_tokenizer.h"

#include <utility>

#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

enum class Kind {
  kSpace,
  kIsolated,
  kA,
  kB
};  // a word is one isolated character, a run of A or a run of B

template <class KindOf>
void split_by_kind(const NormalizedText& text, CharRange piece, std::vector<CharRange>& words,
                   KindOf&& kind_of) {
  int32_t begin = piece.begin;
  Kind open = Kind::kSpace;  // kind of the run that began at `begin`
  for (int32_t i = piece.begin; i < piece.end; ++i) {
    const Kind kind = kind_of(text.chars[i]);
    if (kind == open && kind != Kind::kIsolated) continue;
    if (open != Kind::kSpace) words.push_back({begin, i});
    begin = i;
    open = kind;
  }
  if (open != Kind::kSpace) words.push_back({begin, piece.end});
}

}  // namespace

void BertPreTokenizer::split(const NormalizedText& text, CharRange piece,
                             std::vector<CharRange>& words) const {
  split_by_kind(text, piece, words, [](char32_t c) {
    const uint16_t flags = unicode::record(c).flags;
    if (flags & unicode::kWhitespace) return Kind::kSpace;
    return flags & unicode::kPunctuation ? Kind::kIsolated : Kind::kA;
  });
}

void WhitespacePreTokenizer::split(const NormalizedText& text, CharRange piece,
                                   std::vector<CharRange>& words) const {
  split_by_kind(text, piece, words, [](char32_t c) {
    const uint16_t flags = unicode::record(c).flags;
    if (flags & unicode::kWord) return Kind::kA;
    return flags & unicode::kWhitespace ? Kind::kSpace : Kind::kB;
  });
}

void WhitespaceSplitPreTokenizer::split(const NormalizedText& text, CharRange piece,
                                        std::vector<CharRange>& words) const {
  split_by_kind(text, piece, words, [](char32_t c) {
    return unicode::has(c, unicode::kWhitespace) ? Kind::kSpace : Kind::kA;
  });
}

void Splitter::apply(PreTokenizedText& text, PreTokenizedText& scratch) const {
  scratch.words.clear();
  for (const CharRange& word : text.words) split(text.text, word, scratch.words);
  std::swap(text.words, scratch.words);
}

void SequencePreTokenizer::apply(PreTokenizedText& text, PreTokenizedText& scratch) const {
  for (const auto& step : steps_) step->apply(text, scratch);
}

std::unique_ptr<const PreTokenizer> build_bert_pre_tokenizer(const JsonView&, const PartContext&) {
  return std::make_unique<BertPreTokenizer>();
}
std::unique_ptr<const PreTokenizer> build_whitespace_pre_tokenizer(const JsonView&,
                                                                   const PartContext&) {
  return std::make_unique<WhitespacePreTokenizer>();
}
std::unique_ptr<const PreTokenizer> build_whitespace_split_pre_tokenizer(const JsonView&,
                                                                         const PartContext&) {
  return std::make_unique<WhitespaceSplitPreTokenizer>();
}

}  // namespace spanforge
