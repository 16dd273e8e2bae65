#pragma once
// Prints an encoded text, for `tokenize`.

#include <string>

#include "spanforge/text/tokenizer.h"

namespace spanforge::app {

// One line: {"input_ids", "token_type_ids", "attention_mask", "offset_mapping", "tokens"}.
std::string to_json(const Encoding& encoding);
// A table of tokens, the text decoded from them, and the recipe's form of that text (decode_each).
std::string to_text(const Encoding& encoding, const Tokenizer& tokenizer);

}  // namespace spanforge::app
