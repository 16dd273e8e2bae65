#pragma once
// Trains a WordPiece vocabulary on plain text, so that a model can be made from scratch. Same
// texts and options give the same bytes.
//
// Words are those of BERT's tokenizer. Beginning with characters, the most frequent pair of
// neighbouring pieces is joined again and again (byte-pair encoding, Sennrich et al. 2016, as HF's
// WordPieceTrainer does); of equally frequent pairs the one whose pieces came first.
// The alphabet holds the text's most frequent characters and, where there is room, ASCII and common
// Chinese punctuation even if the text lacks it. A character that can stand inside a word is there
// in both forms, c and ##c: a word with one character missing would become [UNK] as a whole.
// Cost: about linear in the distinct words, plus log factors; memory likewise.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/text/tokenizer.h"

namespace spanforge {

struct WordPieceTrainerOptions {
  int32_t vocab_size = 8000;      // special tokens included; the result may be smaller
  int32_t min_frequency = 2;      // of a merged pair
  int32_t limit_alphabet = 6000;  // most frequent characters kept
  Tokenizer::BertOptions bert;    // normalisation before counting
};

// Returns the vocabulary in id order: [PAD] [UNK] [CLS] [SEP] [MASK], alphabet, merges.
// Errors: Error{kBadData, "text N"} for invalid UTF-8, Error{kBadData} when the texts hold no
// character, Error{kUsage} for a vocab_size that holds no more than the special tokens.
std::vector<std::string> train_wordpiece(const std::vector<std::string>& texts,
                                         const WordPieceTrainerOptions& options);

}  // namespace spanforge
