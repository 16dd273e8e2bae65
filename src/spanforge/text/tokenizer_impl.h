#pragma once
// The implementation of Tokenizer: the parts of a tokenizer.json by their interfaces. Only the
// files tokenizer*.cpp include this.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "spanforge/text/added_tokens.h"
#include "spanforge/text/decoder.h"
#include "spanforge/text/encoding.h"
#include "spanforge/text/fast_path.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/post_processor.h"
#include "spanforge/text/pre_tokenizer.h"
#include "spanforge/text/token_model.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {

class TokenizerKind;

struct Tokenizer::Impl {
  std::unique_ptr<const Normalizer> normalizer;       // null: texts do not change
  std::unique_ptr<const PreTokenizer> pre_tokenizer;  // null: a text is one word
  std::unique_ptr<const TokenModel> model;
  std::unique_ptr<const PostProcessor> post_processor;
  std::unique_ptr<const Decoder> decoder;
  AddedTokens added;
  std::unique_ptr<const FastPath> fast_path;  // null: the parts tokenize every text
  Template single, pair;  // the post-processor's, without token types if the class makes none
  SpecialTokens special;
  std::optional<int32_t> model_max_length;
  std::optional<std::string> note;
  std::string class_name;  // from the files, for those that save() makes; "": they do not state it
  const TokenizerKind* kind = nullptr;  // null: tokenizer.json only
  bool cleans_up = false;  // clean_up_tokenization_spaces: removes spaces before punctuation
  // Files as they were read, by name; save() writes them back.
  std::map<std::string, std::string> files;

  const Template& pieces(bool is_pair) const { return is_pair ? pair : single; }
  // Tokenizes by the fast path if there is one and it accepts the text, else by the parts; then
  // applies the post-processor to the offsets. spelt: if not null, receives the text of each added
  // token.
  void tokenize(std::string_view text, TokenBuffer& out,
                std::vector<std::pair<size_t, std::string>>* spelt) const;
  // The definition of a text's tokens, before the post-processor. REQUIRES: valid UTF-8. ends:
  // receives the post-processor's data about each added token.
  void tokenize_by_parts(std::string_view text, TokenBuffer& out,
                         std::vector<std::pair<size_t, std::string>>* spelt,
                         std::vector<SpeltToken>& ends) const;
};

}  // namespace spanforge
