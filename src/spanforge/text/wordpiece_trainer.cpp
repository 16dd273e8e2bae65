#include "spanforge/text/wordpiece_trainer.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/text_index.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/pre_tokenizer.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

constexpr size_t kLongestWord = 100;  // longer words become [UNK] in WordPiece
constexpr std::u32string_view kAlwaysPresent =
    U"0123456789abcdefghijklmnopqrstuvwxyz!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    U"\u3001\u3002\uFF0C\uFF1F\uFF01\uFF1A\uFF1B\uFF08\uFF09\u201C\u201D\u2018\u2019\u300A\u300B"
    U"\u2026\u2014\u00B7";

struct Word {
  std::u32string chars;
  int64_t count;
};

// Distinct words with their counts, in code point order.
std::vector<Word> count_words(const std::vector<std::string>& texts,
                              const Tokenizer::BertOptions& bert) {
  BertNormalizerOptions options;
  options.handle_chinese_chars = bert.tokenize_chinese_chars;
  options.lowercase = bert.do_lower_case;
  options.strip_accents = bert.strip_accents.value_or(bert.do_lower_case);
  const BertNormalizer normalizer(options);
  KeyedMap<std::u32string, int64_t> counts;
  NormalizedText text, scratch;
  std::vector<CharRange> words;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (const auto bad = find_invalid_utf8(texts[i])) {
      throw Error(ErrorCode::kBadData, {.where = fmt::format("text {}", i + 1)},
                  fmt::format("invalid UTF-8 at byte {}", *bad));
    }
    text.clear();
    for (size_t pos = 0; pos < texts[i].size();) text.push(next_code_point(texts[i], pos), {});
    normalizer.apply(text, scratch);
    words.clear();
    BertPreTokenizer().split(text, {0, text.size()}, words);
    for (const auto& [begin, end] : words) {
      if (static_cast<size_t>(end - begin) > kLongestWord) continue;
      ++counts[std::u32string(text.chars.begin() + begin, text.chars.begin() + end)];
    }
  }
  std::vector<Word> sorted;
  sorted.reserve(counts.size());
  for (const auto& [chars, count] : counts) sorted.push_back({chars, count});
  std::sort(sorted.begin(), sorted.end(),
            [](const Word& a, const Word& b) { return a.chars < b.chars; });
  return sorted;
}

// Whether a character can follow another one inside a word.
bool continues(char32_t c, const Tokenizer::BertOptions& bert) {
  const uint16_t flags = unicode::record(c).flags;
  if (flags & (unicode::kPunctuation | unicode::kWhitespace)) return false;
  return !(bert.tokenize_chinese_chars && (flags & unicode::kCjk));
}

// The characters to keep, in code point order; as many as fit into `room` tokens.
std::vector<char32_t> choose_alphabet(const std::vector<Word>& words, int64_t room,
                                      const WordPieceTrainerOptions& options) {
  std::map<char32_t, int64_t> counts;
  for (const Word& word : words) {
    for (const char32_t c : word.chars) counts[c] += word.count;
  }
  std::vector<std::pair<int64_t, char32_t>> ranked;  // most frequent first
  for (const auto& [c, count] : counts) ranked.emplace_back(-count, c);
  std::sort(ranked.begin(), ranked.end());
  ranked.resize(std::min(ranked.size(), static_cast<size_t>(std::max(options.limit_alphabet, 1))));
  for (const char32_t c : kAlwaysPresent) {
    if (!counts.count(c)) ranked.emplace_back(0, c);
  }
  std::vector<char32_t> alphabet;
  for (const auto& [rank, c] : ranked) {
    room -= continues(c, options.bert) ? 2 : 1;
    if (room < 0) break;
    alphabet.push_back(c);
  }
  std::sort(alphabet.begin(), alphabet.end());
  return alphabet;
}

// Joins pieces of words; pieces are numbers of vocabulary entries.
class PairMerger {
 public:
  using Piece = int32_t;
  PairMerger(std::vector<std::vector<Piece>> words, std::vector<int64_t> counts)
      : words_(std::move(words)), counts_(std::move(counts)) {
    for (size_t w = 0; w < words_.size(); ++w) {
      for (size_t i = 0; i + 1 < words_[w].size(); ++i) {
        PairInfo& info = pairs_[key(words_[w][i], words_[w][i + 1])];
        info.count += counts_[w];
        if (info.words.empty() || info.words.back() != w) info.words.push_back(w);
      }
    }
    for (const auto& [k, info] : pairs_) queue_.push({info.count, k});
  }

  struct Candidate {
    int64_t count;
    Piece left, right;
  };
  // The most frequent pair; count 0: there is none.
  Candidate best() {
    while (!queue_.empty()) {
      const Entry top = queue_.top();
      const auto found = pairs_.find(top.key);
      if (found != pairs_.end() && found->second.count == top.count && top.count > 0) {
        return {top.count, static_cast<Piece>(top.key >> 32),
                static_cast<Piece>(top.key & 0xFFFFFFFF)};
      }
      queue_.pop();  // outdated: the pair's count has changed since
    }
    return {0, 0, 0};
  }

  void merge(Piece left, Piece right, Piece joined) {
    const std::vector<size_t> holders = std::move(pairs_[key(left, right)].words);
    KeyedMap<uint64_t, int64_t> change;
    for (const size_t w : holders) {
      for_each_pair(w, [&](uint64_t k) { change[k] -= counts_[w]; });
      join(words_[w], left, right, joined);
      for_each_pair(w, [&](uint64_t k) {
        change[k] += counts_[w];
        if (static_cast<Piece>(k >> 32) != joined && static_cast<Piece>(k) != joined) return;
        std::vector<size_t>& listed = pairs_[k].words;
        if (listed.empty() || listed.back() != w) listed.push_back(w);
      });
    }
    for (const auto& [k, difference] : change) {
      if (difference == 0) continue;
      const auto found = pairs_.find(k);
      found->second.count += difference;
      if (found->second.count == 0) {
        pairs_.erase(found);
      } else {
        queue_.push({found->second.count, k});
      }
    }
  }

 private:
  struct PairInfo {
    int64_t count = 0;
    std::vector<size_t> words;  // words that had the pair when listed; may be outdated
  };
  struct Entry {
    int64_t count;
    uint64_t key;
    // The queue's top is the most frequent pair; of equal ones, that whose pieces came first.
    bool operator<(const Entry& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };
  static uint64_t key(Piece left, Piece right) {
    return static_cast<uint64_t>(left) << 32 | static_cast<uint32_t>(right);
  }
  template <class Visit>
  void for_each_pair(size_t w, Visit&& visit) {
    for (size_t i = 0; i + 1 < words_[w].size(); ++i) visit(key(words_[w][i], words_[w][i + 1]));
  }
  static void join(std::vector<Piece>& word, Piece left, Piece right, Piece joined) {
    size_t kept = 0;
    for (size_t i = 0; i < word.size(); ++i, ++kept) {
      const bool here = word[i] == left && i + 1 < word.size() && word[i + 1] == right;
      word[kept] = here ? joined : word[i];
      if (here) ++i;
    }
    word.resize(kept);
  }

  std::vector<std::vector<Piece>> words_;
  std::vector<int64_t> counts_;
  KeyedMap<uint64_t, PairInfo> pairs_;
  std::priority_queue<Entry> queue_;
};

class VocabularyTrainer {
 public:
  VocabularyTrainer(const WordPieceTrainerOptions& options) : options_(options) {
    const auto& b = options.bert;
    for (const std::string& token :
         {b.pad_token, b.unk_token, b.cls_token, b.sep_token, b.mask_token}) {
      add(token);
    }
  }

  std::vector<std::string> run(const std::vector<Word>& words) {
    const std::vector<char32_t> alphabet = choose_alphabet(
        words, options_.vocab_size - static_cast<int64_t>(vocabulary_.size()), options_);
    for (const char32_t c : alphabet) add(encode_utf8({&c, 1}));
    for (const char32_t c : alphabet) {
      if (continues(c, options_.bert)) add("##" + encode_utf8({&c, 1}));
    }
    merge_pairs(words);
    return std::move(vocabulary_);
  }

 private:
  void add(const std::string& token) {
    if (ids_.insert(token, vocabulary_.size(), texts_in(vocabulary_)).is_new) {
      vocabulary_.push_back(token);
    }
  }

  std::optional<size_t> id_of(const std::string& token) const {
    return ids_.find(token, texts_in(vocabulary_));
  }

  // Pieces of a word, one per character; empty if a character is not in the alphabet.
  std::vector<PairMerger::Piece> pieces_of(const std::u32string& chars) const {
    std::vector<PairMerger::Piece> pieces;
    for (size_t i = 0; i < chars.size(); ++i) {
      const auto found = id_of((i > 0 ? "##" : "") + encode_utf8({&chars[i], 1}));
      if (!found) return {};
      pieces.push_back(static_cast<PairMerger::Piece>(*found));
    }
    return pieces;
  }

  void merge_pairs(const std::vector<Word>& words) {
    std::vector<std::vector<PairMerger::Piece>> pieces;
    std::vector<int64_t> counts;
    for (const Word& word : words) {
      auto of_word = pieces_of(word.chars);
      if (of_word.size() < 2) continue;
      pieces.push_back(std::move(of_word));
      counts.push_back(word.count);
    }
    PairMerger merger(std::move(pieces), std::move(counts));
    while (vocabulary_.size() < static_cast<size_t>(options_.vocab_size)) {
      const auto [count, left, right] = merger.best();
      if (count < std::max(options_.min_frequency, 1)) break;
      // The right piece is never the first of a word, so it has the prefix.
      const std::string joined = vocabulary_[left] + vocabulary_[right].substr(2);
      add(joined);
      merger.merge(left, right, static_cast<PairMerger::Piece>(id_of(joined).value()));
    }
  }

  const WordPieceTrainerOptions& options_;
  std::vector<std::string> vocabulary_;
  TextIndex ids_;  // token -> index of vocabulary_
};

}  // namespace

std::vector<std::string> train_wordpiece(const std::vector<std::string>& texts,
                                         const WordPieceTrainerOptions& options) {
  constexpr int32_t kSpecials = 5;
  if (options.vocab_size <= kSpecials) {
    throw Error(
        ErrorCode::kUsage, {.parameter = "vocab_size"},
        fmt::format("{} is too small: there are {} special tokens", options.vocab_size, kSpecials));
  }
  const std::vector<Word> words = count_words(texts, options.bert);
  if (words.empty()) {
    throw Error(ErrorCode::kBadData, {.where = "training text"}, "has no character to learn from");
  }
  return VocabularyTrainer(options).run(words);
}

}  // namespace spanforge
