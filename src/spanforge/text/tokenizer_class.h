#pragma once
// Which tokenizer a model's files ask for. transformers chooses the class by
// tokenizer_config.json's tokenizer_class, else by config.json's, else by config.json's model_type.
// Only classes whose code does what one of our kinds does are read; any other would cut texts into
// other tokens, silently.

#include <filesystem>
#include <string>

#include "spanforge/base/json_view.h"
#include "spanforge/text/tokenizer_kind.h"

namespace spanforge {

struct TokenizerClass {
  std::string name;            // "" where no file says
  bool by_model_type = false;  // no file names the class: it is the usual one of the model_type
  const TokenizerKind* kind = nullptr;  // null where no file says, and where is_file_alone
  // PreTrainedTokenizerFast and, as transformers 5 calls it, TokenizersBackend: tokenizer.json is
  // taken as it is, whatever tokenizer_config.json says of case and accents.
  bool is_file_alone = false;
  // Whether the model is given token types. DistilBERT's tokenizer makes none, nor does
  // TokenizersBackend, unless "model_input_names" names them.
  bool makes_token_types = true;
};

// tokenizer_config, model_config: the two files, empty objects where there is none.
// Errors: Error{kBadModel, file} that names the class, or the field that means other tokens, and
// the file that says so.
TokenizerClass find_tokenizer_class(const JsonView& tokenizer_config, const JsonView& model_config,
                                    bool has_tokenizer_json);

// Where no file names a class, the vocabulary's form does.
void choose_kind_by_files(const FileTexts& texts, TokenizerClass& asked);

// Without a tokenizer.json the class's own files must be there: else Error{kBadModel, directory}.
void require_files(const TokenizerClass& asked, const FileTexts& texts,
                   const std::filesystem::path& directory);

}  // namespace spanforge
