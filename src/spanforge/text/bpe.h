#pragma once
// Byte-pair encoding: a word begins as one token a character; then the neighbours that stand first
// in the list of merges become one token, the leftmost of equals first, until no neighbours are in
// the list. Source: Sennrich et al. 2016; tokenizers 0.22, models/bpe. A character without a token
// is, with byte_fallback and tokens for all its bytes, those (<0xE4>); else the unknown token where
// there is one; else nothing. Cost: n log n in the characters of a word; no allocation once the
// working space has grown. Threads: const methods are concurrent.

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
  std::string continuing_subword_prefix;  // of all characters of a word but the first
  std::string end_of_word_suffix;         // of the last one
  bool byte_fallback = false;
  bool ignore_merges = false;  // a word that is in the vocabulary is one token, whatever merges say
};

// Pairs of tokens -> what they become. A table of our own: it is asked several times a character,
// and std::unordered_map goes through three lines of memory. Its hash is keyed, as its keys are a
// stranger's.
class MergeTable {
 public:
  struct Merge {
    int32_t left = -1, right = -1;  // -1: a free slot
    int32_t rank = 0;               // its place in the list
    int32_t merged = -1;
  };
  explicit MergeTable(size_t merges);
  // Of equal pairs the last one stays.
  void add(const Merge& merge);
  const Merge* find(int32_t left, int32_t right) const {  // null: there is none
    const uint64_t mixed = mix(left, right);
    // Most pairs are in no merge, and this is a smaller table.
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
  void for_each(Visit&& visit) const {  // in no order
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
  std::vector<Merge> slots_;      // a power of two of them, half of them in use at most
  std::vector<uint64_t> sketch_;  // 8 bits for each slot: set where some pair falls on it
  uint64_t multiplier_;           // odd, drawn when the process starts
  int sketch_shift_ = 0;
  int shift_;
};

class Bpe final : public TokenModel {
 public:
  using Pair = std::pair<std::string, std::string>;
  struct Symbol {
    int32_t id = 0;
    int32_t before = -1, behind = -1;  // places of the neighbours; -1: none
    int32_t length = 0;                // what it covers, in the caller's unit; 0: merged away
  };
  // A word on its way through merge(), and its working space.
  struct Word {
    std::vector<Symbol> symbols;
    struct Candidate {
      uint64_t order;  // rank, then place
      int32_t merged;
      bool operator>(const Candidate& other) const { return order > other.order; }
    };
    std::vector<Candidate> queue;  // of long words
    std::vector<int32_t> ranks;    // of short ones: [place] of the symbol and the one behind it
    std::vector<int32_t> merged;   // [place] what the two become

    void clear() { symbols.clear(); }
    void add(int32_t id, int32_t length);
  };

  // Errors: Error{kBadModel, place} for a merge whose tokens or result the vocabulary lacks, and
  // for an unknown token that it lacks.
  Bpe(Vocabulary vocabulary, BpeOptions options, std::span<const Pair> merges,
      const ErrorPlace& place);

  void tokenize(const NormalizedText& text, std::span<const CharRange> words, int32_t first_word_id,
                TokenBuffer& out) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  int32_t unknown_id() const override { return unknown_id_; }
  const BpeOptions& options() const { return options_; }

  // Merges the symbols, each added with add(); those left have a length.
  void merge(Word& word) const {
    // Up to here, looking through all neighbours is faster than a queue (measured).
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
  // [code point]: its token where neither prefix nor suffix count, -1 for none.
  std::array<int32_t, 0x180> plain_ids_;
  std::array<int32_t, 256> byte_ids_;  // of <0x00>...; -1 for none
};

// From its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const TokenModel> build_bpe(const JsonView& json, const PartContext&);

}  // namespace spanforge
