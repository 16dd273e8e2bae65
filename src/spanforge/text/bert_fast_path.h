#pragma once
// What: BERT's tokenizer in one pass over the bytes. Gives the same tokens as BertNormalizer,
//   BertPreTokenizer and WordPiece one after the other, for nearly all tokenizers and texts: those
//   in which a character's normalised form does not depend on its neighbours.
// Definition: the parts. They say what each character becomes, for a block of characters when the
//   first of them occurs.
// Left to the parts: tokenizers of other parts, added tokens in normalised text, texts that spell
//   an added token, and texts with a mark that NFD may move (unicode::kReorders).
// Rejected: LinMaxMatch's failure links. Words are short and mostly whole in the vocabulary, so few
//   would gain from them, and the trie would grow by half.
// Cost: WordPiece's; allocates only the output.
// Threads: const methods are concurrent.
// Invariant (tested): tokens, offsets and word ids equal those of the parts.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "spanforge/text/added_tokens.h"
#include "spanforge/text/fast_path.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/pre_tokenizer.h"
#include "spanforge/text/token_model.h"
#include "spanforge/text/unicode.h"
#include "spanforge/text/wordpiece.h"

namespace spanforge {

class BertFastPath final : public FastPath {
 public:
  // null: the tokenizer is not made of the parts that this path replaces. The parts must outlive it
  // and may be null as in Tokenizer::Impl; added is finished.
  static std::unique_ptr<const FastPath> make(const Normalizer* normalizer,
                                              const PreTokenizer* pre_tokenizer,
                                              const TokenModel* model, const AddedTokens& added);

  bool tokenize(std::string_view text, TokenBuffer& out) const override;

 private:
  // What a character does to the current word. An entry holds the kind in its low bits and a value
  // in the others.
  enum Kind : uint32_t {
    kLetter,   // continues it; the value is the trie code of its normalised character
    kLetters,  // the same with several characters: the value is an index into the block's pool
    kDropped,  // nothing
    kSpace,    // ends it
    kAlone,    // ends it and is itself a word of one token; the value is the token's id
    kForeign   // the parts must tokenize this text
  };
  static constexpr uint32_t kKindBits = 3;
  // The longest word that is looked up. A vocabulary with longer ones is left to the parts.
  static constexpr int32_t kLongestWord = 256;
  struct Entry {
    uint32_t bits = 0;
    Kind kind() const { return static_cast<Kind>(bits & ((1u << kKindBits) - 1)); }
    int32_t value() const { return static_cast<int32_t>(bits >> kKindBits); }
    bool ends_word() const { return kind() == kSpace || kind() == kAlone; }
  };
  static constexpr char32_t kBlock = char32_t{1} << unicode::kBlockBits;  // code points of a block
  static constexpr char32_t kCodePoints = 0x110000;
  struct Block {
    std::array<Entry, kBlock> entries;
    std::vector<int32_t> pool;  // counts, each followed by as many trie codes
    const Entry& entry(char32_t c) const { return entries[c % kBlock]; }
  };
  class Builder;
  class Reader;

  BertFastPath(const BertNormalizer& normalizer, const BertPreTokenizer& pre_tokenizer,
               const WordPiece& model, const AddedTokens& added);
  const Block& block_of(char32_t c) const {
    const Block* const known = blocks_[c / kBlock].load(std::memory_order_acquire);
    return known != nullptr ? *known : make_block(c / kBlock);
  }
  const Block& make_block(size_t index) const;

  const BertNormalizer& normalizer_;
  const BertPreTokenizer& pre_tokenizer_;
  const WordPiece& model_;
  const CodePointTrie& trie_;
  const AddedTokens& added_;
  const int32_t longest_word_;  // in characters; longer ones are unknown
  const int32_t unknown_id_;
  std::array<int32_t, 256> ascii_letter_;  // [byte]: trie code of an ASCII letter, -1 for the rest
  // [block of code points]: null until one of them occurs; made_ owns them.
  mutable std::array<std::atomic<const Block*>, kCodePoints / kBlock> blocks_{};
  mutable std::mutex making_;
  mutable std::vector<std::unique_ptr<const Block>> made_;
};

}  // namespace spanforge
