#include "spanforge/text/bert_fast_path.h"

#include <algorithm>

#include "spanforge/text/utf8_cursor.h"

namespace spanforge {

// Finds out by the parts what each character becomes.
class BertFastPath::Builder {
 public:
  Builder(const BertFastPath& path, Block& out) : path_(path), out_(out) {}

  void run(char32_t first) {
    for (char32_t i = 0; i < kBlock; ++i) out_.entries[i] = classify(first + i);
  }

 private:
  // Gives the parts the character between two letters. How they split that says what it does in any
  // text.
  Entry classify(char32_t c) {
    if (unicode::has(c, unicode::kReorders)) return entry(kForeign, 0);
    text_.clear(), words_.clear();
    text_.push(U'a', {});
    text_.push(c, {});
    text_.push(U'a', {});
    path_.normalizer_.apply(text_, scratch_);
    const int32_t size = text_.size();
    path_.pre_tokenizer_.split(text_, {0, size}, words_);
    if (words_.size() == 1) return classify_letters(1, size - 1);
    const bool ends_first = words_.front().end == 1, begins_last = words_.back().begin == size - 1;
    if (!ends_first || !begins_last) return entry(kForeign, 0);
    if (words_.size() == 2) return entry(kSpace, 0);
    if (words_.size() > 3 || words_[1].end - words_[1].begin != 1) return entry(kForeign, 0);
    tokens_.clear();
    path_.model_.tokenize(text_, {&words_[1], 1}, 0, tokens_);
    return entry(kAlone, tokens_.ids.at(0));
  }

  Entry classify_letters(int32_t begin, int32_t end) {
    if (begin == end) return entry(kDropped, 0);
    if (end - begin == 1) return entry(kLetter, path_.trie_.code(text_.chars[begin]));
    const auto place = static_cast<int32_t>(out_.pool.size());
    out_.pool.push_back(end - begin);
    for (int32_t i = begin; i < end; ++i) out_.pool.push_back(path_.trie_.code(text_.chars[i]));
    return entry(kLetters, place);
  }

  static Entry entry(Kind kind, int32_t value) {
    return {static_cast<uint32_t>(value) << kKindBits | kind};
  }

  const BertFastPath& path_;
  Block& out_;
  NormalizedText text_, scratch_;
  std::vector<CharRange> words_;
  TokenBuffer tokens_;
};

// Tokenizes one text.
class BertFastPath::Reader {
 public:
  Reader(const BertFastPath& path, std::string_view text, TokenBuffer& out)
      : path_(path),
        out_(out),
        p_(reinterpret_cast<const unsigned char*>(text.data())),
        end_(p_ + text.size()) {}

  bool run() {
    while (p_ != end_) {
      if (size_ == 0 && path_.ascii_letter_[*p_] >= 0 && read_ascii_word()) continue;
      if (!read_character()) return false;
    }
    end_word();
    return true;
  }

 private:
  // Reads a whole word of ASCII letters. false: other characters continue it, and nothing is read.
  bool read_ascii_word() {
    const int32_t* const letter = path_.ascii_letter_.data();
    const unsigned char* const begin = p_;
    const unsigned char* stop = begin;
    while (stop != end_ && letter[*stop] >= 0) ++stop;
    if (stop != end_) {
      const unsigned char* next = stop;
      const char32_t c = take_code_point(next);
      if (!path_.block_of(c).entry(c).ends_word()) return false;
    }
    const auto size = static_cast<int32_t>(stop - begin);
    put_word(
        size, [=](int32_t i) { return letter[begin[i]]; },
        [this](int32_t first, int32_t last) {
          return CharSpan{at_ + first, at_ + last + 1};
        });
    at_ += size;
    p_ = stop;
    return true;
  }

  bool read_character() {
    const char32_t c = take_code_point(p_);
    const Block& block = path_.block_of(c);
    const Entry& e = block.entry(c);
    switch (e.kind()) {
      case kLetter: add(e.value()); break;
      case kLetters: {
        const int32_t* const codes = block.pool.data() + e.value();
        for (int32_t i = 1; i <= codes[0]; ++i) add(codes[i]);
        break;
      }
      case kDropped: break;
      case kSpace: end_word(); break;
      case kAlone:
        end_word();
        put(e.value(), {at_, at_ + 1});
        ++word_id_;
        break;
      case kForeign: return false;
    }
    ++at_;
    return true;
  }

  void add(int32_t code) {
    if (size_ < kLongestWord) codes_[size_] = code, places_[size_] = at_;
    places_[kLongestWord] = at_;
    ++size_;
  }

  void end_word() {
    if (size_ == 0) return;
    put_word(
        size_, [this](int32_t i) { return codes_[i]; },
        [this](int32_t first, int32_t last) {
          return CharSpan{places_[first], places_[std::min(last, kLongestWord)] + 1};
        });
    size_ = 0;
  }

  // code_at(i): trie code of the word's i-th character; span_of(i, j): of its i-th to j-th.
  template <class CodeAt, class SpanOf>
  void put_word(int32_t size, const CodeAt& code_at, const SpanOf& span_of) {
    const size_t before = out_.size();
    if (size > path_.longest_word_ || !cover(size, code_at, span_of)) {
      out_.ids.resize(before), out_.offsets.resize(before), out_.word_ids.resize(before);
      put(path_.unknown_id_, span_of(0, size - 1));
    }
    ++word_id_;
  }

  template <class CodeAt, class SpanOf>
  bool cover(int32_t size, const CodeAt& code_at, const SpanOf& span_of) {
    const CodePointTrie& trie = path_.trie_;
    for (int32_t begin = 0; begin < size;) {
      int32_t id = CodePointTrie::kNoValue, end = begin;
      CodePointTrie::Edge edge{begin == 0 ? WordPiece::kFirst : WordPiece::kContinuing, id};
      for (int32_t i = begin; i < size;) {
        edge = trie.step(edge.node, code_at(i));
        if (edge.node == 0) break;
        ++i;
        if (edge.value != CodePointTrie::kNoValue) id = edge.value, end = i;
      }
      if (id == CodePointTrie::kNoValue) return false;
      put(id, span_of(begin, end - 1));
      begin = end;
    }
    return true;
  }

  void put(int32_t id, CharSpan span) {
    out_.ids.push_back(id);
    out_.offsets.push_back(span);
    out_.word_ids.push_back(word_id_);
  }

  const BertFastPath& path_;
  TokenBuffer& out_;
  const unsigned char* p_;
  const unsigned char* const end_;
  int32_t at_ = 0;  // code points before p_
  int32_t word_id_ = 0;
  // The current word: its characters' codes and places; for a longer word only its last place.
  int32_t size_ = 0;
  int32_t codes_[kLongestWord], places_[kLongestWord + 1];
};

std::unique_ptr<const FastPath> BertFastPath::make(const Normalizer* normalizer,
                                                   const PreTokenizer* pre_tokenizer,
                                                   const TokenModel* model,
                                                   const AddedTokens& added) {
  const auto* bert_normalizer = dynamic_cast<const BertNormalizer*>(normalizer);
  const auto* bert_pre_tokenizer = dynamic_cast<const BertPreTokenizer*>(pre_tokenizer);
  const auto* word_piece = dynamic_cast<const WordPiece*>(model);
  if (bert_normalizer == nullptr || bert_pre_tokenizer == nullptr || word_piece == nullptr ||
      added.any(true) || word_piece->options().max_input_chars_per_word > kLongestWord) {
    return nullptr;
  }
  return std::unique_ptr<const FastPath>(
      new BertFastPath(*bert_normalizer, *bert_pre_tokenizer, *word_piece, added));
}

BertFastPath::BertFastPath(const BertNormalizer& normalizer, const BertPreTokenizer& pre_tokenizer,
                           const WordPiece& model, const AddedTokens& added)
    : normalizer_(normalizer),
      pre_tokenizer_(pre_tokenizer),
      model_(model),
      trie_(model.trie()),
      added_(added),
      longest_word_(static_cast<int32_t>(model.options().max_input_chars_per_word)),
      unknown_id_(model.unknown_id()) {
  ascii_letter_.fill(-1);
  for (char32_t c = 0; c < 0x80; ++c) {
    const Entry& e = block_of(c).entry(c);
    if (e.kind() == kLetter) ascii_letter_[c] = e.value();
  }
}

const BertFastPath::Block& BertFastPath::make_block(size_t index) const {
  const std::lock_guard<std::mutex> lock(making_);
  if (const Block* const known = blocks_[index].load(std::memory_order_relaxed)) {
    return *known;  // another thread has made it meanwhile
  }
  auto block = std::make_unique<Block>();
  Builder(*this, *block).run(static_cast<char32_t>(index) * kBlock);
  blocks_[index].store(block.get(), std::memory_order_release);
  return *made_.emplace_back(std::move(block));
}

bool BertFastPath::tokenize(std::string_view text, TokenBuffer& out) const {
  if (added_.spelt_in(text)) return false;
  const size_t before = out.size();
  if (Reader(*this, text, out).run()) return true;
  out.ids.resize(before), out.offsets.resize(before), out.word_ids.resize(before);
  return false;
}

}  // namespace spanforge
