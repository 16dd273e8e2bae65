#pragma once
// The tokenizer.json that transformers makes of a BERT vocab.txt (convert_slow_tokenizer.py,
// BertConverter), and the matching keys of tokenizer_config.json.

#include <string>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {

// The options in a tokenizer_config.json; BertTokenizerFast's defaults for missing ones.
Tokenizer::BertOptions bert_options_of(const JsonView& config);
// Adds the options' keys to a config; keeps keys that it has.
void complete_bert_config(const Tokenizer::BertOptions& options, Json& config);

// vocabulary[i] has id i; if a token is listed twice, the last id counts.
// Errors: Error{kBadModel, place} if [UNK], [CLS] or [SEP], by the options' names, is missing.
Json make_bert_document(const std::vector<std::string>& vocabulary,
                        const Tokenizer::BertOptions& options, const std::string& place);

}  // namespace spanforge
