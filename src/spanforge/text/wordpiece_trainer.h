#pragma once
// Trains a WordPiece vocabulary on plain text, so that a model can be made from scratch. Same
// texts and options give the same bytes.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/text/tokenizer.h"

namespace spanforge {

struct WordPieceTrainerOptions {
  int32_t vocab_size = 8000;     // special tokens included; the result may be smaller
  int32_t min_frequency = 2;     // of a merged pair
  int32_t limit_alphabet = 6000; // most frequent characters kept
  Tokenizer::BertOptions bert;   // normalisation before counting
};

// Returns the vocabulary in id order: [PAD] [UNK] [CLS] [SEP] [MASK], alphabet, merges.
// Errors: Error{kBadData} when the texts hold no character, Error{kUsage} for a vocab_size too
// small to hold the special tokens.
std::vector<std::string> train_wordpiece(const std::vector<std::string>& texts,
                                         const WordPieceTrainerOptions& options);

}  // namespace spanforge
