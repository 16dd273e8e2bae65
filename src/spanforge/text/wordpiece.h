#pragma once
// What: WordPiece. Splits a word, from left to right, into the longest tokens of the vocabulary;
//   tokens after the first have the continuation prefix. A word that cannot be split so, or is too
//   long, becomes one unknown token.
// Source: tokenizers 0.22, models/wordpiece.
// Cost: linear in the text times the length of the longest token; no allocation.

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
  // Errors: Error{kBadModel, place} if the vocabulary lacks the unknown token.
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
  CodePointTrie trie_;  // kFirst: all tokens; kContinuing: those with the prefix, without it
  int32_t unknown_id_;
};

// From its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const TokenModel> build_word_piece(const JsonView& json, const PartContext&);

}  // namespace spanforge
