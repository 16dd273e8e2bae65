#pragma once
// What: byte-pair encoding. A word begins as one token per character. Then the pair of neighbours
//   that comes first in the list of merges becomes one token, the leftmost of equal pairs first,
//   until no pair is in the list.
// Unknown characters: a character without a token becomes the tokens of its bytes (<0xE4>) if
//   byte_fallback is set and all of them exist; else the unknown token, if there is one; else
//   nothing.
// Source: Sennrich et al. 2016; tokenizers 0.22, models/bpe.
// Cost: n log n in the characters of a word; no allocation once the working space has grown.
// Threads: const methods are concurrent.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/text/token_model.h"

namespace spanforge {

class JsonView;
struct PartContext;

struct BpeOptions {
  std::optional<std::string> unk_token;
  bool fuse_unk = false;                  // neighbouring unknown characters are one token
  std::string continuing_subword_prefix;  // of all characters of a word except the first
  std::string end_of_word_suffix;         // of the last character
  bool byte_fallback = false;
  bool ignore_merges = false;  // a word that is in the vocabulary is one token without merges
};

// Pair of tokens -> merged token. A table of our own: it is read several times per character, and
// std::unordered_map would read three cache lines. Its hash is keyed, because its keys are
// untrusted.
class MergeTable {
 public:
  struct Merge {
    int32_t left = -1, right = -1;  // -1: a free slot
    int32_t rank = 0;               // its index in the list
    int32_t merged = -1;
  };
  explicit MergeTable(size_t merges);
  // Replaces an equal pair.
  void add(const Merge& merge);
  const Merge* find(int32_t left, int32_t right) const {  // null: there is none
    const uint64_t mixed = mix(left, right);
    // Most pairs have no merge, and the sketch is a smaller table.
    if ((sketch_[mixed >> sketch_shift_ >> 6] >> (mixed >> sketch_shift_ & 63) & 1) == 0)
      return nullptr;
    for (size_t at = mixed >> shift_;; at = (at + 1) & (slots_.size() - 1)) {
      const Merge& slot = slots_[at];
      if (slot.left == left && slot.right == right) return &slot;
      if (slot.left < 0) return nullptr;
    }
  }
  std::vector<Merge> by_rank() const;
  template <class Visit>
  void for_each(Visit&& visit) const {  // in arbitrary order
    for (const Merge& slot : slots_) {
      if (slot.left >= 0) visit(slot);
    }
  }

 private:
  uint64_t mix(int32_t left, int32_t right) const {
    const uint64_t key =
        static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
    return key * multiplier_;
  }
  std::vector<Merge> slots_;      // their number is a power of two; at most half are in use
  std::vector<uint64_t> sketch_;  // 8 bits per slot; a bit is set if a pair maps to it
  uint64_t multiplier_;           // odd, drawn when the process starts
  int sketch_shift_ = 0;
  int shift_;
};

class Bpe final : public TokenModel {
 public:
  using Pair = std::pair<std::string, std::string>;
  struct Symbol {
    int32_t id = 0;
    int32_t previous = -1, next = -1;  // indices of the neighbours; -1: none
    int32_t length = 0;                // its length in the caller's unit; 0: merged into another
  };
  // A word for merge(), and its working space.
  struct Word {
    std::vector<Symbol> symbols;
    struct Candidate {
      uint64_t order;  // rank, then index
      int32_t merged;
      bool operator>(const Candidate& other) const { return order > other.order; }
    };
    std::vector<Candidate> queue;  // for long words
    std::vector<int32_t> ranks;    // for short words: [index] of the symbol and the next one
    std::vector<int32_t> merged;   // [index] the token that the two become

    void clear() { symbols.clear(); }
    void add(int32_t id, int32_t length);
  };

  // Errors: Error{kBadModel, place} if the vocabulary lacks a merge's token or result, or the
  // unknown token.
  Bpe(Vocabulary vocabulary, BpeOptions options, std::span<const Pair> merges,
      const ErrorPlace& place);

  void tokenize(const NormalizedText& text, std::span<const CharRange> words, int32_t first_word_id,
                TokenBuffer& out) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  int32_t unknown_id() const override { return unknown_id_; }
  const BpeOptions& options() const { return options_; }

  // Merges the symbols that were added with add(). Those that remain have a length.
  void merge(Word& word) const {
    // Up to this length, searching all neighbours is faster than a queue (measured).
    static constexpr size_t kShort = 128;
    return word.symbols.size() <= kShort ? merge_short(word) : merge_long(word);
  }
  std::vector<Pair> merges() const;  // by rank
  const MergeTable& merge_table() const { return table_; }

 private:
  void put_characters(std::span<const char32_t> chars, Word& word) const;
  int32_t find_character(char32_t c, bool is_first, bool is_last, std::string& spelling) const;
  void merge_short(Word& word) const;
  void merge_long(Word& word) const;
  void rate(Word& word, int32_t place) const;
  static void join(Word& word, int32_t place, int32_t id);
  void consider(Word& word, int32_t place) const;

  Vocabulary vocabulary_;
  BpeOptions options_;
  MergeTable table_;
  int32_t unknown_id_ = -1;
  // [code point]: its token without prefix and suffix; -1: none.
  std::array<int32_t, 0x180> plain_ids_;
  std::array<int32_t, 256> byte_ids_;  // of <0x00>...; -1: none
};

// From its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const TokenModel> build_bpe(const JsonView& json, const PartContext&);

}  // namespace spanforge
