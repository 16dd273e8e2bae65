#pragma once
// The tokenizer.json that transformers makes of a BERT vocab.txt (convert_slow_tokenizer.py,
// BertConverter), and tokenizer_config.json's side of it.

#include <string>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {

// What a tokenizer_config.json says, BertTokenizerFast's defaults for the rest.
Tokenizer::BertOptions bert_options_of(const JsonView& config);
// Writes the options' keys into a config; keys that it has stay.
void complete_bert_config(const Tokenizer::BertOptions& options, Json& config);

// vocabulary[i] has id i; of a token listed twice the last id counts.
// Errors: Error{kBadModel, place} when [UNK], [CLS] or [SEP], as the options name them, is missing.
Json make_bert_document(const std::vector<std::string>& vocabulary,
                        const Tokenizer::BertOptions& options, const std::string& place);

}  // namespace spanforge
