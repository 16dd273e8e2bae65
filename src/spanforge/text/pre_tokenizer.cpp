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
};  // a word is one isolated character or a run of A or B

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
    const uint8_t flags = unicode::record(c).flags;
    if (flags & unicode::kWhitespace) return Kind::kSpace;
    return flags & unicode::kPunctuation ? Kind::kIsolated : Kind::kA;
  });
}

void WhitespacePreTokenizer::split(const NormalizedText& text, CharRange piece,
                                   std::vector<CharRange>& words) const {
  split_by_kind(text, piece, words, [](char32_t c) {
    const uint8_t flags = unicode::record(c).flags;
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

void SequencePreTokenizer::split(const NormalizedText& text, CharRange piece,
                                 std::vector<CharRange>& words) const {
  std::vector<CharRange> pieces{piece}, next;
  for (const auto& step : steps_) {
    next.clear();
    for (const CharRange& p : pieces) step->split(text, p, next);
    std::swap(pieces, next);
  }
  words.insert(words.end(), pieces.begin(), pieces.end());
}

}  // namespace spanforge
