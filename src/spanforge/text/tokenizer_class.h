#pragma once
// Finds the tokenizer that a model's files ask for. transformers chooses the class by
// tokenizer_config.json's tokenizer_class, else by config.json's, else by config.json's model_type.
// Accepts only classes that work like one of our kinds; any other would silently give other tokens.

#include <filesystem>
#include <string>

#include "spanforge/base/json_view.h"
#include "spanforge/text/tokenizer_kind.h"

namespace spanforge {

struct TokenizerClass {
  std::string name;            // "": the files do not give it
  bool by_model_type = false;  // no file names the class: it is the usual one of the model_type
  const TokenizerKind* kind = nullptr;  // null: the files do not give it, or is_file_alone
  // PreTrainedTokenizerFast, which transformers 5 calls TokenizersBackend: tokenizer.json counts
  // alone; tokenizer_config.json does not change case and accents.
  bool is_file_alone = false;
  // Whether the model gets token types. DistilBERT's tokenizer and TokenizersBackend make none,
  // unless "model_input_names" names them.
  bool makes_token_types = true;
};

// tokenizer_config, model_config: the two files; an empty object for a missing file.
// Errors: Error{kBadModel, file} with the class that is not supported, or the field that asks for
// other tokens.
TokenizerClass find_tokenizer_class(const JsonView& tokenizer_config, const JsonView& model_config,
                                    bool has_tokenizer_json);

// If no file names a class, chooses the kind by the vocabulary's files.
void choose_kind_by_files(const FileTexts& texts, TokenizerClass& asked);

// Throws Error{kBadModel, directory} if both tokenizer.json and the class's own files are missing.
void require_files(const TokenizerClass& asked, const FileTexts& texts,
                   const std::filesystem::path& directory);

}  // namespace spanforge
