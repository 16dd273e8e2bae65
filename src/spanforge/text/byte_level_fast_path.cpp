#include "spanforge/text/byte_level_fast_path.h"

#include <algorithm>
#include <cstring>

#include "spanforge/base/utf8.h"
#include "spanforge/text/gpt2_pattern.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/utf8_cursor.h"

namespace spanforge {

// Borrows a cache during one call.
class ByteLevelFastPath::Loan {
 public:
  explicit Loan(const ByteLevelFastPath& path) : path_(path) {
    const std::lock_guard<std::mutex> lock(path_.lending_);
    if (path_.idle_.empty()) {
      path_.idle_.reserve(path_.caches_ + 1);  // returning one must not fail
      cache_ = std::make_unique<Cache>();
      ++path_.caches_;
    } else {
      cache_ = std::move(path_.idle_.back());
      path_.idle_.pop_back();
    }
  }
  ~Loan() {
    constexpr size_t kKept = 1 << 16;
    if (cache_->word.symbols.capacity() > kKept) cache_->word = Bpe::Word();
    if (cache_->prefixed.capacity() > kKept) cache_->prefixed = std::string();
    const std::lock_guard<std::mutex> lock(path_.lending_);
    path_.idle_.push_back(std::move(cache_));
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  Cache& operator*() const { return *cache_; }

 private:
  const ByteLevelFastPath& path_;
  std::unique_ptr<Cache> cache_;
};

// Tokenizes one text.
class ByteLevelFastPath::Reader {
 public:
  // prefix: 1 if the text begins with an added space, which has the place of the first character;
  // else 0.
  Reader(const ByteLevelFastPath& path, Cache& cache, std::string_view text, int32_t prefix,
         TokenBuffer& out)
      : path_(path),
        cache_(cache),
        out_(out),
        p_(reinterpret_cast<const unsigned char*>(text.data())),
        end_(p_ + text.size()),
        prefix_(prefix) {}

  void run() {
    while (p_ != end_) {
      const unsigned char* const stop = Gpt2Pattern::match_end(p_, end_);
      read_word(stop);
      ++word_id_;
    }
  }

 private:
  using Bytes = Entry::Bytes;

  void read_word(const unsigned char* stop) {
    const auto size = static_cast<size_t>(stop - p_);
    if (size <= Entry::kLongest) {
      const Bytes bytes = bytes_at(p_, size);
      constexpr uint64_t kHighBits = 0x8080808080808080;
      if (((bytes[0] | bytes[1] | bytes[2]) & kHighBits) == 0) {
        return read_short(bytes, size, cache_.places[place_of(bytes)]);
      }
    }
    while (p_ != stop) read_pieces(stop);
  }

  // Reads up to kPieces pieces. Prefetches the places of all before it reads the first, because
  // waiting for memory is the main cost.
  void read_pieces(const unsigned char* stop) {
    static constexpr size_t kPieces = 16;
    struct Piece {
      Bytes bytes;
      size_t size;
      Place* place;
    };
    std::array<Piece, kPieces> pieces;
    size_t count = 0;
    for (const unsigned char* p = p_; p != stop && count < kPieces;) {
      Piece& piece = pieces[count++];
      piece.size = static_cast<size_t>(piece_end(p, stop) - p);
      if (piece.size <= Entry::kLongest) {
        piece.bytes = bytes_at(p, piece.size);
        piece.place = &cache_.places[place_of(piece.bytes)];
        __builtin_prefetch(piece.place);
      }
      p += piece.size;
    }
    for (size_t i = 0; i < count; ++i) {
      const Piece& piece = pieces[i];
      if (piece.size <= Entry::kLongest) {
        read_short(piece.bytes, piece.size, *piece.place);
      } else {
        at_ += merge(piece.size, nullptr);
        p_ += piece.size;
      }
    }
  }

  // The next border of two characters that no merge crosses. The tokens before and after it do not
  // depend on each other.
  const unsigned char* piece_end(const unsigned char* begin, const unsigned char* stop) const {
    const unsigned char* next = begin + 1;
    while (next != stop && (!begins_code_point(*next) || path_.may_join(next[-1], *next))) ++next;
    return next;
  }

  Bytes bytes_at(const unsigned char* p, size_t size) const {
    static constexpr auto kMask = [] {  // bytes to keep, then as many to clear
      std::array<unsigned char, 2 * Entry::kLongest> mask{};
      for (size_t i = 0; i < Entry::kLongest; ++i) mask[i] = 0xFF;
      return mask;
    }();
    Bytes bytes{}, mask;
    if (static_cast<size_t>(end_ - p) < Entry::kLongest) {
      std::memcpy(bytes.data(), p, size);
      return bytes;
    }
    std::memcpy(bytes.data(), p, Entry::kLongest);  // a constant size needs no call
    std::memcpy(mask.data(), kMask.data() + Entry::kLongest - size, Entry::kLongest);
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] &= mask[i];
    return bytes;
  }

  // Reads a word or a piece of one that fits into an entry.
  void read_short(const Bytes& bytes, size_t size, Place& place) {
    for (const Entry* entry : {&place.last, &place.before}) {
      if (entry->size != size || entry->bytes != bytes) continue;
      for (size_t i = 0; i < entry->tokens; ++i) {
        put(entry->ids[i], entry->starts[i], entry->ends[i]);
      }
      at_ += entry->ends[entry->tokens - 1];
      p_ += size;
      return;
    }
    place.before = place.last;
    place.last.bytes = bytes;
    place.last.size = static_cast<uint8_t>(size);
    at_ += merge(size, &place.last);
    p_ += size;
  }

  static size_t place_of(const Bytes& bytes) {
    constexpr uint64_t kOdd = 0x9E3779B97F4A7C15;
    uint64_t mixed = bytes[0] * kOdd;
    mixed = (mixed ^ (mixed >> 32) ^ bytes[1]) * kOdd;
    mixed = (mixed ^ (mixed >> 32) ^ bytes[2]) * kOdd;
    return static_cast<size_t>(mixed >> (64 - kCacheBits));
  }

  // Appends the tokens of the piece at p_. Fills the entry, if given; frees it if the tokens do not
  // fit. Returns the number of characters of the piece.
  int32_t merge(size_t size, Entry* entry) {
    Bpe::Word& word = cache_.word;
    word.clear();
    for (size_t i = 0; i < size; ++i) word.add(path_.byte_ids_[p_[i]], 1);
    path_.model_.merge(word);
    size_t tokens = 0;
    int32_t begun = 0;  // characters that begin before the byte
    const unsigned char* byte = p_;
    for (const Bpe::Symbol& symbol : word.symbols) {
      if (symbol.length == 0) continue;
      const int32_t start = begins_code_point(*byte) ? begun : begun - 1;
      for (const unsigned char* const stop = byte + symbol.length; byte != stop; ++byte) {
        begun += begins_code_point(*byte) ? 1 : 0;
      }
      put(symbol.id, start, begun);
      if (entry != nullptr && tokens < Entry::kMostTokens) {
        entry->ids[tokens] = symbol.id;
        entry->starts[tokens] = static_cast<uint8_t>(start);
        entry->ends[tokens] = static_cast<uint8_t>(begun);
      }
      ++tokens;
    }
    if (entry != nullptr) {
      if (tokens > Entry::kMostTokens) entry->size = 0;
      entry->tokens = static_cast<uint8_t>(tokens);
    }
    return begun;
  }

  // start, end: characters of the piece.
  void put(int32_t id, int32_t start, int32_t end) {
    out_.ids.push_back(id);
    out_.offsets.push_back(
        {std::max(at_ + start - prefix_, 0), std::max(at_ + end - prefix_, prefix_)});
    out_.word_ids.push_back(word_id_);
  }

  const ByteLevelFastPath& path_;
  Cache& cache_;
  TokenBuffer& out_;
  const unsigned char* p_;
  const unsigned char* const end_;
  const int32_t prefix_;
  int32_t at_ = 0;  // code points before p_
  int32_t word_id_ = 0;
};

std::unique_ptr<const FastPath> ByteLevelFastPath::make(const Normalizer* normalizer,
                                                        const PreTokenizer* pre_tokenizer,
                                                        const TokenModel* model,
                                                        const AddedTokens& added) {
  const auto* byte_level = dynamic_cast<const ByteLevelPreTokenizer*>(pre_tokenizer);
  const auto* bpe = dynamic_cast<const Bpe*>(model);
  const bool composes = dynamic_cast<const NfcNormalizer*>(normalizer) != nullptr;
  if ((normalizer != nullptr && !composes) || byte_level == nullptr || bpe == nullptr ||
      !byte_level->options().use_regex || bpe->options().ignore_merges ||
      !bpe->options().continuing_subword_prefix.empty() ||
      !bpe->options().end_of_word_suffix.empty()) {
    return nullptr;
  }
  std::unique_ptr<ByteLevelFastPath> path(
      new ByteLevelFastPath(*byte_level, *bpe, added, composes));
  // Vocabularies learnt from texts lack bytes that never occur in UTF-8.
  for (size_t byte = 0; byte < path->byte_ids_.size(); ++byte) {
    const bool occurs = byte < 0xC0 || (byte > 0xC1 && byte < 0xF5);
    if (occurs && path->byte_ids_[byte] == -1) return nullptr;
  }
  return path;
}

ByteLevelFastPath::ByteLevelFastPath(const ByteLevelPreTokenizer& pre_tokenizer, const Bpe& model,
                                     const AddedTokens& added, bool composes)
    : model_(model),
      added_(added),
      add_prefix_space_(pre_tokenizer.options().add_prefix_space),
      composes_(composes) {
  for (size_t byte = 0; byte < byte_ids_.size(); ++byte) {
    std::string character;
    append_utf8(byte_level_char(static_cast<unsigned char>(byte)), character);
    byte_ids_[byte] = model.vocabulary().find(character).value_or(-1);
  }
  find_joins();
}

void ByteLevelFastPath::find_joins() {
  const Vocabulary& tokens = model_.vocabulary();
  model_.merge_table().for_each([&](const MergeTable::Merge& merge) {
    const std::string_view left = tokens.token(merge.left), right = tokens.token(merge.right);
    if (left.empty() || right.empty()) return;  // no token of a text is empty
    size_t begin = 0, end = left.size() - 1;
    while (!begins_code_point(static_cast<unsigned char>(left[end]))) --end;
    const int32_t last = byte_level_byte(next_code_point(left, end));
    const int32_t first = byte_level_byte(next_code_point(right, begin));
    if (last < 0 || first < 0) return;  // a token with other characters is not made of bytes
    joins_.set(static_cast<size_t>(last) << 8 | static_cast<size_t>(first));
  });
}

bool ByteLevelFastPath::tokenize(std::string_view text, TokenBuffer& out) const {
  if (added_.spelt_in(text)) return false;
  if (composes_ && (!NfcNormalizer::leaves(text) || added_.spelt_in(text, /*normalized=*/true))) {
    return false;
  }
  const Loan loan(*this);
  Cache& cache = *loan;
  if (!add_prefix_space_ || text.empty() || text.front() == ' ') {
    Reader(*this, cache, text, 0, out).run();
    return true;
  }
  cache.prefixed.assign(1, ' ').append(text);
  Reader(*this, cache, cache.prefixed, 1, out).run();
  return true;
}

}  // namespace spanforge
