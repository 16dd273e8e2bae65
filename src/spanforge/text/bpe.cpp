#include "spanforge/text/bpe.h"

#include <algorithm>
#include <functional>
#include <limits>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/utf8.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {

MergeTable::MergeTable(size_t merges) : multiplier_(keyed_hash("merges") | 1), shift_(61) {
  constexpr int kBitsOfSlot = 3;  // 8
  size_t slots = 8;
  for (; slots < 2 * merges; slots *= 2) --shift_;
  slots_.resize(slots);
  sketch_shift_ = shift_ - kBitsOfSlot;
  sketch_.resize((slots << kBitsOfSlot) / 64);
}

void MergeTable::add(const Merge& merge) {
  const uint64_t mixed = mix(merge.left, merge.right);
  const uint64_t bit = mixed >> sketch_shift_;
  sketch_[bit >> 6] |= uint64_t{1} << (bit & 63);
  size_t at = mixed >> shift_;
  while (slots_[at].left >= 0 &&
         (slots_[at].left != merge.left || slots_[at].right != merge.right)) {
    at = (at + 1) & (slots_.size() - 1);
  }
  slots_[at] = merge;
}

std::vector<MergeTable::Merge> MergeTable::by_rank() const {
  std::vector<Merge> merges;
  for_each([&](const Merge& merge) { merges.push_back(merge); });
  std::sort(merges.begin(), merges.end(),
            [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
  return merges;
}

void Bpe::Word::add(int32_t id, int32_t length) {
  const auto place = static_cast<int32_t>(symbols.size());
  if (place > 0) symbols.back().next = place;
  symbols.push_back({id, place - 1, -1, length});
}

Bpe::Bpe(Vocabulary vocabulary, BpeOptions options, std::span<const Pair> merges,
         const ErrorPlace& place)
    : vocabulary_(std::move(vocabulary)), options_(std::move(options)), table_(merges.size()) {
  const auto id_of = [&](const std::string& token, const char* what) {
    if (const auto id = vocabulary_.find(token)) return *id;
    throw Error(ErrorCode::kBadModel, place,
                fmt::format("the vocabulary lacks {} \"{}\"", what, quote_for_message(token)));
  };
  if (options_.unk_token) unknown_id_ = id_of(*options_.unk_token, "the unknown token");
  const std::string& prefix = options_.continuing_subword_prefix;
  for (size_t i = 0; i < merges.size(); ++i) {
    const auto& [left, right] = merges[i];
    if (!right.starts_with(prefix)) {
      throw Error(ErrorCode::kBadModel, place,
                  fmt::format("merge {} ends in \"{}\", which lacks the prefix \"{}\"", i + 1,
                              quote_for_message(right), quote_for_message(prefix)));
    }
    table_.add({id_of(left, "a merge's token"), id_of(right, "a merge's token"),
                static_cast<int32_t>(i),
                id_of(left + right.substr(prefix.size()), "a merge's result")});
  }
  std::string spelling;
  const bool plain = prefix.empty() && options_.end_of_word_suffix.empty();
  for (char32_t c = 0; c < plain_ids_.size(); ++c) {
    spelling.clear();
    append_utf8(c, spelling);
    plain_ids_[c] = plain ? vocabulary_.find(spelling).value_or(-1) : -1;
  }
  for (unsigned byte = 0; byte < byte_ids_.size(); ++byte) {
    byte_ids_[byte] = vocabulary_.find(fmt::format("<0x{:02X}>", byte)).value_or(-1);
  }
}

void Bpe::tokenize(const NormalizedText& text, std::span<const CharRange> words,
                   int32_t first_word_id, TokenBuffer& out) const {
  thread_local Word word;
  int32_t word_id = first_word_id;
  for (const CharRange& range : words) {
    word.clear();
    put_characters({text.chars.data() + range.begin, text.chars.data() + range.end}, word);
    merge(word);
    // Symbols cover bytes: those of byte_fallback are parts of a character.
    int32_t at = range.begin, passed = 0;  // passed: the number of bytes before `at`
    int32_t covered = 0;
    const auto skip_to = [&](int32_t byte) {
      std::string character;
      for (;; ++at, character.clear()) {
        append_utf8(text.chars[static_cast<size_t>(at)], character);
        if (passed + static_cast<int32_t>(character.size()) > byte) return;
        passed += static_cast<int32_t>(character.size());
      }
    };
    for (const Symbol& symbol : word.symbols) {
      if (symbol.length == 0) continue;
      skip_to(covered);
      const int32_t start = text.spans[static_cast<size_t>(at)].start;
      covered += symbol.length;
      skip_to(covered - 1);
      out.ids.push_back(symbol.id);
      out.offsets.push_back({start, text.spans[static_cast<size_t>(at)].end});
      out.word_ids.push_back(word_id);
    }
    ++word_id;
  }
  constexpr size_t kKept = 1 << 16;
  if (word.symbols.capacity() > kKept) word = Word();
}

// Characters that become nothing are not covered. Then, as in HF, later characters get the places
// of earlier ones.
void Bpe::put_characters(std::span<const char32_t> chars, Word& word) const {
  std::string spelling;
  if (options_.ignore_merges) {
    const std::string whole = encode_utf8({chars.data(), chars.size()});
    if (const auto id = vocabulary_.find(whole)) {
      word.add(*id, static_cast<int32_t>(whole.size()));
      return;
    }
  }
  int32_t unknown_length = 0;  // of unknown characters that are not added yet
  const auto put_unknown = [&] {
    if (unknown_length > 0) word.add(unknown_id_, unknown_length);
    unknown_length = 0;
  };
  for (size_t i = 0; i < chars.size(); ++i) {
    spelling.clear();
    append_utf8(chars[i], spelling);
    const auto length = static_cast<int32_t>(spelling.size());
    const int32_t id = find_character(chars[i], i == 0, i + 1 == chars.size(), spelling);
    if (id >= 0) {
      put_unknown();
      word.add(id, length);
    } else if (options_.byte_fallback &&
               std::all_of(spelling.begin(), spelling.end(), [&](char byte) {
                 return byte_ids_[static_cast<unsigned char>(byte)] >= 0;
               })) {
      // As in HF, does not add an unknown character before it yet.
      for (const char byte : spelling) word.add(byte_ids_[static_cast<unsigned char>(byte)], 1);
    } else if (unknown_id_ >= 0) {
      if (!options_.fuse_unk) put_unknown();
      unknown_length += length;
    }
  }
  put_unknown();
}

// spelling: the character's; receives prefix and suffix.
int32_t Bpe::find_character(char32_t c, bool is_first, bool is_last, std::string& spelling) const {
  if (c < plain_ids_.size() && plain_ids_[c] >= 0) return plain_ids_[c];
  if (!is_first) spelling.insert(0, options_.continuing_subword_prefix);
  if (is_last) spelling += options_.end_of_word_suffix;
  return vocabulary_.find(spelling).value_or(-1);
}

constexpr int32_t kNoMerge = std::numeric_limits<int32_t>::max();

// Finds the merge of the symbol at `place` and the next one.
void Bpe::rate(Word& word, int32_t place) const {
  const Symbol& left = word.symbols[static_cast<size_t>(place)];
  const MergeTable::Merge* const merge =
      left.next < 0 ? nullptr
                    : table_.find(left.id, word.symbols[static_cast<size_t>(left.next)].id);
  word.ranks[static_cast<size_t>(place)] = merge != nullptr ? merge->rank : kNoMerge;
  word.merged[static_cast<size_t>(place)] = merge != nullptr ? merge->merged : 0;
}

void Bpe::merge_short(Word& word) const {
  auto& symbols = word.symbols;
  auto& ranks = word.ranks;
  ranks.resize(symbols.size());
  word.merged.resize(symbols.size());
  for (size_t i = 0; i < symbols.size(); ++i) rate(word, static_cast<int32_t>(i));
  while (true) {
    int32_t best = kNoMerge;
    for (const int32_t rank : ranks) best = std::min(best, rank);
    if (best == kNoMerge) return;
    const auto place =
        static_cast<int32_t>(std::find(ranks.begin(), ranks.end(), best) - ranks.begin());
    join(word, place, word.merged[static_cast<size_t>(place)]);
    const Symbol& joined = symbols[static_cast<size_t>(place)];
    rate(word, place);
    if (joined.previous >= 0) rate(word, joined.previous);
  }
}

// Makes one symbol of the one at `place` and the next one.
void Bpe::join(Word& word, int32_t place, int32_t id) {
  Symbol& left = word.symbols[static_cast<size_t>(place)];
  const auto gone = static_cast<size_t>(left.next);
  Symbol& right = word.symbols[gone];
  left.id = id;
  left.length += right.length;
  left.next = right.next;
  right.length = 0;
  if (gone < word.ranks.size()) word.ranks[gone] = kNoMerge;
  if (left.next >= 0) word.symbols[static_cast<size_t>(left.next)].previous = place;
}

// Adds the merge of the symbol at `place` and the next one to the queue, if there is one.
void Bpe::consider(Word& word, int32_t place) const {
  const Symbol& left = word.symbols[static_cast<size_t>(place)];
  const Symbol& right = word.symbols[static_cast<size_t>(left.next)];
  const MergeTable::Merge* const merge = table_.find(left.id, right.id);
  if (merge == nullptr) return;
  word.queue.push_back(
      {static_cast<uint64_t>(merge->rank) << 32 | static_cast<uint32_t>(place), merge->merged});
  std::push_heap(word.queue.begin(), word.queue.end(), std::greater<>());
}

void Bpe::merge_long(Word& word) const {
  auto& symbols = word.symbols;
  auto& queue = word.queue;
  queue.clear();
  word.ranks.clear();
  for (size_t i = 0; i + 1 < symbols.size(); ++i) consider(word, static_cast<int32_t>(i));
  while (!queue.empty()) {
    const Word::Candidate first = queue.front();
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    queue.pop_back();
    const auto place = static_cast<int32_t>(first.order & 0xFFFFFFFF);
    const Symbol& left = symbols[static_cast<size_t>(place)];
    if (left.length == 0 || left.next < 0) continue;
    const Symbol& right = symbols[static_cast<size_t>(left.next)];
    // If one of the two has been merged since, they make another token.
    const MergeTable::Merge* const merge = table_.find(left.id, right.id);
    if (merge == nullptr || merge->merged != first.merged) continue;
    join(word, place, first.merged);
    if (left.previous >= 0) consider(word, left.previous);
    if (left.next >= 0) consider(word, place);
  }
}

std::vector<Bpe::Pair> Bpe::merges() const {
  std::vector<Pair> pairs;
  for (const MergeTable::Merge& merge : table_.by_rank()) {
    pairs.emplace_back(vocabulary_.token(merge.left), vocabulary_.token(merge.right));
  }
  return pairs;
}

namespace {

// Reads "a b" or ["a", "b"]. There are tens of thousands, so only malformed ones get a place.
std::vector<Bpe::Pair> build_merges(const JsonView& json) {
  if (!json.value().is_array()) json.refuse("a list");
  const Json::Array& items = json.value().as_array();
  std::vector<Bpe::Pair> merges;
  merges.reserve(items.size());
  for (size_t i = 0; i < items.size(); ++i) {
    const Json& item = items[i];
    const auto fail = [&] {
      json.items()[i].refuse("a merge: two tokens, in a list or with one space between");
    };
    if (item.is_array()) {
      if (item.size() != 2 || !item.as_array()[0].is_string() || !item.as_array()[1].is_string()) {
        fail();
      }
      merges.emplace_back(item.as_array()[0].as_string(), item.as_array()[1].as_string());
      continue;
    }
    if (!item.is_string()) fail();
    const std::string& text = item.as_string();
    if (text.starts_with("#version")) continue;  // the first line of a merges.txt copied here
    const size_t space = text.find(' ');
    if (space == text.npos || text.find(' ', space + 1) != text.npos) fail();
    merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  return merges;
}

}  // namespace

std::unique_ptr<const TokenModel> build_bpe(const JsonView& json, const PartContext&) {
  if (json.has("dropout") && json.at("dropout").value() != 0) {
    json.at("dropout").refuse(
        "null or 0: dropout cuts words at random and is for training a tokenizer");
  }
  BpeOptions options;
  options.unk_token = json.optional_string("unk_token");
  options.fuse_unk = json.boolean_or("fuse_unk", false);
  options.continuing_subword_prefix =
      json.optional_string("continuing_subword_prefix").value_or("");
  options.end_of_word_suffix = json.optional_string("end_of_word_suffix").value_or("");
  options.byte_fallback = json.boolean_or("byte_fallback", false);
  options.ignore_merges = json.boolean_or("ignore_merges", false);
  if (options.byte_fallback &&
      !(options.continuing_subword_prefix.empty() && options.end_of_word_suffix.empty())) {
    json.at("byte_fallback").fail("is not supported together with a prefix or suffix");
  }
  const std::vector<Bpe::Pair> merges = build_merges(json.at("merges"));
  return std::make_unique<Bpe>(build_vocabulary(json.at("vocab")), std::move(options), merges,
                               json.place());
}

}  // namespace spanforge
