#include "spanforge/text/wordpiece.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {

WordPiece::WordPiece(Vocabulary vocabulary, WordPieceOptions options, const ErrorPlace& place)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)) {
  const auto unknown = vocabulary_.find(options_.unk_token);
  if (!unknown) {
    throw Error(ErrorCode::kBadModel, place,
                fmt::format("the vocabulary lacks the unknown token \"{}\"",
                            quote_for_message(options_.unk_token)));
  }
  unknown_id_ = *unknown;
  const std::u32string prefix = decode_utf8(options_.continuing_subword_prefix);
  CodePointTrie::Keys keys;
  for (int32_t id = 0; id < vocabulary_.id_limit(); ++id) {
    const std::u32string token = decode_utf8(vocabulary_.token(id));
    if (token.empty()) continue;
    keys.add(kFirst, token, id);
    if (token.size() > prefix.size() && token.compare(0, prefix.size(), prefix) == 0) {
      keys.add(kContinuing, std::u32string_view(token).substr(prefix.size()), id);
    }
  }
  trie_ = CodePointTrie(2, keys);
}

void WordPiece::tokenize(const NormalizedText& text, std::span<const CharRange> words,
                         int32_t first_word_id, TokenBuffer& out) const {
  int32_t word_id = first_word_id;
  for (const CharRange& word : words) {
    const size_t before = out.size();
    if (word.end - word.begin > options_.max_input_chars_per_word ||
        !cover(text, word, word_id, out)) {
      out.ids.resize(before), out.offsets.resize(before), out.word_ids.resize(before);
      out.ids.push_back(unknown_id_);
      out.offsets.push_back({text.spans[word.begin].start, text.spans[word.end - 1].end});
      out.word_ids.push_back(word_id);
    }
    ++word_id;
  }
}

bool WordPiece::cover(const NormalizedText& text, CharRange word, int32_t word_id,
                      TokenBuffer& out) const {
  for (int32_t begin = word.begin; begin < word.end;) {
    int32_t id = CodePointTrie::kNoValue, end = begin;
    CodePointTrie::Edge edge =
        trie_.next(begin == word.begin ? kFirst : kContinuing, text.chars[begin]);
    for (int32_t i = begin + 1; edge.node != 0; ++i) {
      if (edge.value != CodePointTrie::kNoValue) {
        id = edge.value;
        end = i;
      }
      if (i == word.end) break;
      edge = trie_.next(edge.node, text.chars[i]);
    }
    if (id == CodePointTrie::kNoValue) return false;
    out.ids.push_back(id);
    out.offsets.push_back({text.spans[begin].start, text.spans[end - 1].end});
    out.word_ids.push_back(word_id);
    begin = end;
  }
  return true;
}

std::unique_ptr<const TokenModel> build_word_piece(const JsonView& json, const PartContext&) {
  WordPieceOptions options;
  options.unk_token = json.at("unk_token").string();
  options.continuing_subword_prefix = json.at("continuing_subword_prefix").string();
  options.max_input_chars_per_word = json.at("max_input_chars_per_word").integer(0);
  const JsonView vocab = json.at("vocab");
  return std::make_unique<WordPiece>(build_vocabulary(vocab), std::move(options), vocab.place());
}

}  // namespace spanforge
