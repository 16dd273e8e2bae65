#pragma once
// WordPiece: a word becomes, from left to right, the longest tokens of the vocabulary, all but the
// first looked up with the continuation prefix; a word that cannot be covered, or is too long,
// becomes one unknown token. Source: tokenizers 0.22, models/wordpiece.
// Cost: linear in the text times the longest token that is walked in vain; no allocation.

#include <memory>
#include <string>

#include "spanforge/text/code_point_trie.h"
#include "spanforge/text/token_model.h"

namespace spanforge {

class JsonView;
struct PartContext;

struct WordPieceOptions {
  std::string unk_token = "[UNK]";
  std::string continuing_subword_prefix = "##";
  int64_t max_input_chars_per_word = 100;
};

class WordPiece final : public TokenModel {
 public:
  enum Root : int32_t { kFirst, kContinuing };  // the roots of the trie
  // Errors: Error{kBadModel, place} when the vocabulary lacks the unknown token.
  WordPiece(Vocabulary vocabulary, WordPieceOptions options, const ErrorPlace& place);

  void tokenize(const NormalizedText& text, std::span<const CharRange> words, int32_t first_word_id,
                TokenBuffer& out) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  int32_t unknown_id() const override { return unknown_id_; }
  const WordPieceOptions& options() const { return options_; }
  const CodePointTrie& trie() const { return trie_; }

 private:
  bool cover(const NormalizedText& text, CharRange word, int32_t word_id, TokenBuffer& out) const;

  Vocabulary vocabulary_;
  WordPieceOptions options_;
  CodePointTrie trie_;  // of kFirst: as written; of kContinuing: without the continuation prefix
  int32_t unknown_id_;
};

// From its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const TokenModel> build_word_piece(const JsonView& json, const PartContext&);

}  // namespace spanforge
