#pragma once
// What: trains a WordPiece vocabulary on plain text, for a model from scratch. The same texts and
//   options give the same bytes.
// How: splits texts into words like BERT's tokenizer. Begins with characters and repeatedly joins
//   the most frequent pair of neighbouring pieces (byte-pair encoding, Sennrich et al. 2016, as in
//   HF's WordPieceTrainer); of equally frequent pairs, the one whose pieces came first.
// Alphabet: the most frequent characters of the texts and, if there is room, ASCII and common
//   Chinese punctuation even if the texts lack it. A character that can be inside a word has both
//   forms, c and ##c: a word with one missing character would become [UNK].
// Cost: time and memory are about linear in the distinct words, with log factors.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/text/tokenizer.h"

namespace spanforge {

struct WordPieceTrainerOptions {
  int32_t vocab_size = 8000;      // including special tokens; the result may be smaller
  int32_t min_frequency = 2;      // of a merged pair
  int32_t limit_alphabet = 6000;  // the number of most frequent characters to keep
  Tokenizer::BertOptions bert;    // normalisation before counting
};

// Returns the vocabulary in id order: [PAD] [UNK] [CLS] [SEP] [MASK], alphabet, merges.
// Errors: Error{kBadData, "text N"} for invalid UTF-8, Error{kBadData} if the texts have no
// character, Error{kUsage} for a vocab_size with room only for special tokens.
std::vector<std::string> train_wordpiece(const std::vector<std::string>& texts,
                                         const WordPieceTrainerOptions& options);

}  // namespace spanforge
