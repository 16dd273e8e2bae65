#pragma once
// Tokens that are found in the text before (or, normalised ones, after) normalisation and never
// split: special tokens spelt out in a text, and tokens that users added.
// Source: tokenizers 0.22, tokenizer/added_vocabulary.rs. Const methods are concurrent.

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
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the white space on its left
  bool rstrip = false;       // ... and on its right
  bool normalized = true;    // matched, itself normalised, in the normalised text
  bool special = false;      // skipped when decoding
};

// A stretch of a text: an added token, or (token null) what stands between them.
struct AddedMatch {
  CharRange range;
  const AddedToken* token = nullptr;
};

class AddedTokens {
 public:
  // Adds a token, giving it the id HF would: the vocabulary's, or the next free one. A token with
  // the same content replaces the earlier one's flags. Empty content is ignored.
  void add(AddedToken token, const Vocabulary& vocabulary);
  // Builds the matchers; to be called once, after the last add().
  // Errors: Error{kBadModel, place} for a token that the normaliser turns into nothing.
  void finish(const Normalizer* normalizer, const std::string& place);

  // Cuts `range` of the text into stretches that cover it. Nothing is appended for an empty range.
  // normalized: which of the two kinds of tokens are looked for.
  void find(std::span<const char32_t> text, bool normalized, std::vector<AddedMatch>& out) const;
  // Whether find() could find a token that is looked for in texts as they are written, as all are
  // where there is no normaliser; normalized: one that is looked for in normalised texts, of which
  // this is one. Fast; true also where the token's flags (single_word) then refuse it. May be true
  // without one where very many begin with the same byte.
  bool spelt_in(std::string_view text, bool normalized = false) const;
  // False when find() cannot find anything in any text.
  bool any(bool normalized) const { return matchers_[normalized].used; }

  const AddedToken* find_content(const std::string& content) const;
  const AddedToken* find_id(int32_t id) const;
  std::vector<const AddedToken*> by_id() const;   // ascending
  int32_t id_limit() const { return id_limit_; }  // highest id + 1; 0 when there are none

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
  // What a matcher looks for, in UTF-8, but for what begins with another of them.
  struct Spelt {
    std::array<std::vector<std::string>, 256> by_first_byte;
    std::vector<char> first_bytes;  // that there are entries for
    void finish(std::vector<std::string> contents);
  };
  Spelt spelt_[2];  // in texts as they are written, in normalised ones
};

}  // namespace spanforge
