#pragma once
// What: builds the parts of a tokenizer.json from their JSON values. Five tables of rows {type,
//   builder} in tokenizer_parts.cpp list the known kinds of parts; each builder is next to its
//   kind.
// Errors: all throw Error{kBadModel} with the file and, in where(), the path of the value. An
//   unknown kind is named, with the known ones.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "spanforge/base/json_view.h"
#include "spanforge/text/added_tokens.h"
#include "spanforge/text/decoder.h"
#include "spanforge/text/normalizer.h"
#include "spanforge/text/post_processor.h"
#include "spanforge/text/pre_tokenizer.h"
#include "spanforge/text/token_model.h"

namespace spanforge {

// Settings of tokenizer_config.json that override the parts of tokenizer.json: transformers'
// classes set them after reading the file. They change a part itself, not the parts inside a
// Sequence.
struct ConfigOverrides {
  std::optional<bool> lowercase, handle_chinese_chars;     // BertNormalizer
  std::optional<std::optional<bool>> strip_accents;        // BertNormalizer
  std::optional<bool> add_prefix_space;                    // a pre-tokenizer that has it
  std::optional<bool> trim_offsets, trims_as_if_prefixed;  // a post-processor's trim_offsets and
                                                           // add_prefix_space
};

// The data for a builder in addition to its JSON value.
struct PartContext {
  const ConfigOverrides& overrides;
  // The model's and the added tokens', for post-processors; null for the parts built before them.
  const Vocabulary* vocabulary = nullptr;
  const AddedTokens* added = nullptr;
};

// A null value, in the file or passed for a missing part: no normaliser, no pre-tokenizer (a text
// is one word), no special tokens, and a decoder that puts spaces between tokens.
std::unique_ptr<const Normalizer> build_normalizer(const JsonView& json,
                                                   const PartContext& context);
std::unique_ptr<const PreTokenizer> build_pre_tokenizer(const JsonView& json,
                                                        const PartContext& context);
std::unique_ptr<const TokenModel> build_model(const JsonView& json, const PartContext& context);
std::unique_ptr<const PostProcessor> build_post_processor(const JsonView& json,
                                                          const PartContext& context);
std::unique_ptr<const Decoder> build_decoder(const JsonView& json, const PartContext& context);

// From the "vocab" object of a model. Errors: those above and Vocabulary::add()'s.
Vocabulary build_vocabulary(const JsonView& vocab);

}  // namespace spanforge
