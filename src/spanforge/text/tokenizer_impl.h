#pragma once
// The inside of Tokenizer: the parts of a tokenizer.json, each behind its interface. Only the
// files tokenizer*.cpp include this.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "spanforge/text/added_tokens.h"
#include "spanforge/text/bert_fast_path.h"
#include "spanforge/text/decoder.h"
#include "spanforge/text/encoding.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/pre_tokenizer.h"
#include "spanforge/text/token_model.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {

struct Tokenizer::Impl {
  std::unique_ptr<const Normalizer> normalizer;       // null: texts stay as they are
  std::unique_ptr<const PreTokenizer> pre_tokenizer;  // null: a text is one word
  std::unique_ptr<const TokenModel> model;
  std::unique_ptr<const Decoder> decoder;
  AddedTokens added;
  std::unique_ptr<const BertFastPath> fast_path;  // null: the parts do every text
  Template single, pair;
  SpecialTokens special;
  std::optional<int32_t> model_max_length;
  std::optional<std::string> note;
  std::string class_name;  // as the files state it, for those that save() makes; "": they do not
  bool cleans_up = false;  // clean_up_tokenization_spaces: decoded texts lose spaces before marks
  // Set where the normaliser is BERT's, for the files that save() makes.
  std::optional<BertNormalizerOptions> bert_normalizer;
  // Files as they were read, by name; save() writes them back.
  std::map<std::string, std::string> files;

  const Template& pieces(bool is_pair) const { return is_pair ? pair : single; }
  // By the fast path where there is one and it takes the text, else by the parts.
  // spelt: where not null, takes the text of each added token.
  void tokenize(std::string_view text, TokenBuffer& out,
                std::vector<std::pair<size_t, std::string>>* spelt) const;
  // The definition of what a text's tokens are. The text is valid UTF-8.
  void tokenize_by_parts(std::string_view text, TokenBuffer& out,
                         std::vector<std::pair<size_t, std::string>>* spelt) const;
};

}  // namespace spanforge
