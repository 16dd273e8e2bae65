#pragma once
// ByteLevel and BPE in one pass over the bytes: the same tokens as the two parts give one after the
// other. Words are cut where Gpt2Pattern cuts them, and most were met before: their tokens lie in a
// cache, found by their bytes. What is not there is merged, from the token of each byte. Scripts
// without spaces make words that are met once, but hardly a merge crosses the border of two of
// their characters: so words with other characters than ASCII, and long ones, are first cut where
// none can, and the pieces are looked up. What it leaves to the parts: other parts than these, a
// normaliser but NFC, vocabularies without some byte, BPE with prefixes, suffixes or ignore_merges,
// and texts that spell an added token or that NFC may change. Cost: linear in the text for words
// met before, else BPE's; no allocation but the output's. Threads: const methods are concurrent;
// each call borrows a cache of its own. Invariant (tested): tokens, offsets and word ids equal
// those of the parts.

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
  // Null when the tokenizer is not made of the parts that this path replaces. The parts, which must
  // outlive it, may be null as in Tokenizer::Impl; added is finished.
  static std::unique_ptr<const FastPath> make(const Normalizer* normalizer,
                                              const PreTokenizer* pre_tokenizer,
                                              const TokenModel* model, const AddedTokens& added);

  bool tokenize(std::string_view text, TokenBuffer& out) const override;

 private:
  // A word, or a piece of one, of few bytes and few tokens: one line of memory.
  struct alignas(64) Entry {
    static constexpr size_t kLongest = 24, kMostTokens = 6;
    using Bytes = std::array<uint64_t, kLongest / 8>;
    Bytes bytes{};
    std::array<int32_t, kMostTokens> ids{};
    // Characters of the piece, of each token: the first one, and one behind the last.
    std::array<uint8_t, kMostTokens> starts{}, ends{};
    uint8_t size = 0;  // 0: free
    uint8_t tokens = 0;
  };
  static_assert(sizeof(Entry) == 64);
  // A place is for two; who comes last stays, and who came before.
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

  // Whether some merge joins a token that ends in the first byte with one that begins with the
  // second.
  bool may_join(unsigned char last, unsigned char first) const {
    return joins_[size_t{last} << 8 | first];
  }
  void find_joins();

  const Bpe& model_;
  const AddedTokens& added_;
  const bool add_prefix_space_;
  const bool composes_;  // NFC stands before
  std::array<int32_t, 256> byte_ids_;
  std::bitset<256 * 256> joins_;  // of may_join()
  mutable std::mutex lending_;
  mutable std::vector<std::unique_ptr<Cache>> idle_;
  mutable size_t caches_ = 0;  // as many as calls there have been at a time
};

}  // namespace spanforge
