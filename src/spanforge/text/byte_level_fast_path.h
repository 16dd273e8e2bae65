#pragma once
// What: ByteLevel and BPE in one pass over the bytes. Gives the same tokens as the two parts one
//   after the other.
// How: splits words as Gpt2Pattern does. Most words occurred before, and a cache holds their tokens
//   by their bytes. Others are merged, beginning with the token of each byte. Scripts without
//   spaces make words that occur once, but few merges cross the border of two characters. So words
//   with non-ASCII characters, and long words, are first split at borders that no merge crosses,
//   and the pieces are looked up.
// Left to the parts: tokenizers of other parts, normalisers other than NFC, vocabularies that lack
//   a byte, BPE with prefixes, suffixes or ignore_merges, and texts that spell an added token or
//   that NFC may change.
// Cost: linear in the text for words in the cache, else BPE's; allocates only the output.
// Threads: const methods are concurrent; each call borrows a cache.
// Invariant (tested): tokens, offsets and word ids equal those of the parts.

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/text/added_tokens.h"
#include "spanforge/text/bpe.h"
#include "spanforge/text/byte_level.h"
#include "spanforge/text/fast_path.h"

namespace spanforge {

class ByteLevelFastPath final : public FastPath {
 public:
  // null: the tokenizer is not made of the parts that this path replaces. The parts must outlive it
  // and may be null as in Tokenizer::Impl; added is finished.
  static std::unique_ptr<const FastPath> make(const Normalizer* normalizer,
                                              const PreTokenizer* pre_tokenizer,
                                              const TokenModel* model, const AddedTokens& added);

  bool tokenize(std::string_view text, TokenBuffer& out) const override;

 private:
  // A word or a piece of one, of few bytes and few tokens. One cache line.
  struct alignas(64) Entry {
    static constexpr size_t kLongest = 24, kMostTokens = 6;
    using Bytes = std::array<uint64_t, kLongest / 8>;
    Bytes bytes{};
    std::array<int32_t, kMostTokens> ids{};
    // Of each token, its characters [start, end) of the piece.
    std::array<uint8_t, kMostTokens> starts{}, ends{};
    uint8_t size = 0;  // 0: free
    uint8_t tokens = 0;
  };
  static_assert(sizeof(Entry) == 64);
  // A place holds the last two words.
  struct Place {
    Entry last, before;
  };
  static constexpr int kCacheBits = 13;
  struct Cache {
    std::vector<Place> places = std::vector<Place>(size_t{1} << kCacheBits);
    Bpe::Word word;
    std::string prefixed;
  };
  class Loan;
  class Reader;

  ByteLevelFastPath(const ByteLevelPreTokenizer& pre_tokenizer, const Bpe& model,
                    const AddedTokens& added, bool composes);

  // Whether a merge joins a token that ends with the byte `last` to one that begins with `first`.
  bool may_join(unsigned char last, unsigned char first) const {
    return joins_[size_t{last} << 8 | first];
  }
  void find_joins();

  const Bpe& model_;
  const AddedTokens& added_;
  const bool add_prefix_space_;
  const bool composes_;  // the normaliser is NFC
  std::array<int32_t, 256> byte_ids_;
  std::bitset<256 * 256> joins_;  // of may_join()
  mutable std::mutex lending_;
  mutable std::vector<std::unique_ptr<Cache>> idle_;
  mutable size_t caches_ = 0;  // the largest number of concurrent calls so far
};

}  // namespace spanforge
