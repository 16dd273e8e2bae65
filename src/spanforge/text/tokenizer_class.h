#pragma once
// Which tokenizer a model's files ask for. transformers chooses the class by tokenizer_config.json's
// tokenizer_class, else by config.json's. Only classes whose code is BERT's are read; any other would
// cut texts into other tokens, silently.

#include <string>

#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {

struct TokenizerClass {
  std::string name;  // "" where no file says
  // PreTrainedTokenizerFast and, as transformers 5 calls it, TokenizersBackend: tokenizer.json is
  // taken as it is, whatever tokenizer_config.json says of case and accents.
  bool is_file_alone = false;
  // Whether the model is given token types. DistilBERT's tokenizer makes none, nor does
  // TokenizersBackend, unless "model_input_names" names them.
  bool makes_token_types = true;
};

// tokenizer_config, model_config: the two files, empty objects where there is none.
// Errors: Error{kBadModel, file} that names the class, or the field that means other tokens, and the
// file that says so.
TokenizerClass find_tokenizer_class(const JsonView& tokenizer_config, const JsonView& model_config,
                                    bool has_tokenizer_json);

}  // namespace spanforge
