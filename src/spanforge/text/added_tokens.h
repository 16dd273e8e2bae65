#pragma once
// What: finds special tokens spelt out in a text, and tokens that users added. They are found
//   before normalisation (normalised ones after it) and never split.
// Source: tokenizers 0.22, tokenizer/added_vocabulary.rs.
// Threads: const methods are concurrent.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/text_index.h"
#include "spanforge/text/code_point_trie.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/vocabulary.h"

namespace spanforge {

struct AddedToken {
  std::string content;
  int32_t id = -1;
  bool single_word = false;  // found only without a word character next to it
  bool lstrip = false;       // includes the white space before it
  bool rstrip = false;       // includes the white space after it
  bool normalized = true;    // is normalised and found in the normalised text
  bool special = false;      // skipped when decoding
};

// A stretch of a text: an added token or, if token is null, text between them.
struct AddedMatch {
  CharRange range;
  const AddedToken* token = nullptr;
};

class AddedTokens {
 public:
  // Adds a token with the id that HF gives it: the vocabulary's, or the next free one. A token with
  // the same content replaces the earlier one's flags. Ignores empty content.
  void add(AddedToken token, const Vocabulary& vocabulary);
  // Builds the matchers. Call it once, after the last add().
  // Errors: Error{kBadModel, place} for a token that the normaliser makes empty.
  void finish(const Normalizer* normalizer, const std::string& place);

  // Appends stretches that cover the text; none for an empty text. normalized: which of the two
  // kinds of tokens to find.
  void find(std::span<const char32_t> text, bool normalized, std::vector<AddedMatch>& out) const;
  // Whether the text may contain a token for find(). normalized: the text is normalised; looks for
  // the tokens that are found in normalised texts. Without a normaliser, all tokens are found in
  // the text as written. Fast, and may be true without a match: it ignores the flags (single_word),
  // and does not compare if very many tokens begin with the same byte.
  bool spelt_in(std::string_view text, bool normalized = false) const;
  // false: find() cannot find anything in any text.
  bool any(bool normalized) const { return matchers_[normalized].used; }

  const AddedToken* find_content(const std::string& content) const;
  const AddedToken* find_id(int32_t id) const;
  std::vector<const AddedToken*> by_id() const;   // ascending
  int32_t id_limit() const { return id_limit_; }  // highest id + 1; 0 if there are no tokens

 private:
  auto content_of() const {
    return [this](size_t i) -> std::string_view { return tokens_[i]->content; };
  }
  struct Matcher {
    CodePointTrie trie;
    bool used = false;
  };
  std::vector<std::unique_ptr<AddedToken>> tokens_;  // in the order they were added
  TextIndex by_content_;                             // content -> index of tokens_
  std::map<int32_t, const AddedToken*> by_id_;
  int32_t id_limit_ = 0;
  Matcher matchers_[2];
  // The tokens of a matcher in UTF-8, without those that begin with another one.
  struct Spelt {
    std::array<std::vector<std::string>, 256> by_first_byte;
    std::vector<char> first_bytes;  // those with entries
    void finish(std::vector<std::string> contents);
  };
  Spelt spelt_[2];  // for texts as written, for normalised texts
};

}  // namespace spanforge
