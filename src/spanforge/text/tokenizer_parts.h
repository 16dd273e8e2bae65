#pragma once
// The parts of a tokenizer.json, each built from its JSON value. Which kinds of each part are known
// is five tables of rows {type, builder} in tokenizer_parts.cpp; a builder stands beside its kind.
// Errors: all throw Error{kBadModel} with the file and, in where(), the path of the value; a part
// of a kind that is not known is named, with those that are.

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

// What tokenizer_config.json says over the parts of tokenizer.json: transformers' classes set it
// after they have read the file. It concerns a part itself, not those inside a Sequence.
struct ConfigOverrides {
  std::optional<bool> lowercase, handle_chinese_chars;     // BertNormalizer
  std::optional<std::optional<bool>> strip_accents;        // BertNormalizer
  std::optional<bool> add_prefix_space;                    // a pre-tokenizer that has it
  std::optional<bool> trim_offsets, trims_as_if_prefixed;  // a post-processor's trim_offsets and
                                                           // add_prefix_space
};

// What a builder may look at besides its JSON value.
struct PartContext {
  const ConfigOverrides& overrides;
  // The model's and the added tokens', for post-processors; null for the parts built before them.
  const Vocabulary* vocabulary = nullptr;
  const AddedTokens* added = nullptr;
};

// A null value, or none of the file: no normaliser, no pre-tokenizer (a text is one word), texts
// without special tokens, and tokens decoded with spaces between them.
std::unique_ptr<const Normalizer> build_normalizer(const JsonView& json,
                                                   const PartContext& context);
std::unique_ptr<const PreTokenizer> build_pre_tokenizer(const JsonView& json,
                                                        const PartContext& context);
std::unique_ptr<const TokenModel> build_model(const JsonView& json, const PartContext& context);
std::unique_ptr<const PostProcessor> build_post_processor(const JsonView& json,
                                                          const PartContext& context);
std::unique_ptr<const Decoder> build_decoder(const JsonView& json, const PartContext& context);

// The "vocab" object of a model. Errors: as above, and Vocabulary::add's.
Vocabulary build_vocabulary(const JsonView& vocab);

}  // namespace spanforge
