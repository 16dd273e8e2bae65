#include "spanforge/text/tokenizer_parts.h"

#include <span>
#include <string_view>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/text/bpe.h"
#include "spanforge/text/byte_level.h"
#include "spanforge/text/roberta_processing.h"
#include "spanforge/text/wordpiece.h"

namespace spanforge {
namespace {

// ---- The tables of parts: a new kind is a file with its class and builder, and a row here.

template <class Part>
struct Row {
  std::string_view type;  // as tokenizer.json names it
  std::unique_ptr<const Part> (*build)(const JsonView&, const PartContext&);
};

std::unique_ptr<const Normalizer> build_normalizer_sequence(const JsonView&, const PartContext&);
std::unique_ptr<const PreTokenizer> build_pre_tokenizer_sequence(const JsonView&,
                                                                 const PartContext&);
std::unique_ptr<const PostProcessor> build_post_processor_sequence(const JsonView&,
                                                                   const PartContext&);

constexpr Row<Normalizer> kNormalizers[] = {
    {"BertNormalizer", build_bert_normalizer},
    {"Lowercase", build_lowercase_normalizer},
    {"NFC", build_nfc_normalizer},
    {"NFD", build_nfd_normalizer},
    {"StripAccents", build_strip_accents_normalizer},
    {"Sequence", build_normalizer_sequence},
};

constexpr Row<PreTokenizer> kPreTokenizers[] = {
    {"BertPreTokenizer", build_bert_pre_tokenizer},
    {"ByteLevel", build_byte_level_pre_tokenizer},
    {"Whitespace", build_whitespace_pre_tokenizer},
    {"WhitespaceSplit", build_whitespace_split_pre_tokenizer},
    {"Sequence", build_pre_tokenizer_sequence},
};

constexpr Row<TokenModel> kModels[] = {
    {"WordPiece", build_word_piece},
    {"BPE", build_bpe},
};

constexpr Row<PostProcessor> kPostProcessors[] = {
    {"TemplateProcessing", build_template_processing},
    {"BertProcessing", build_bert_processing},
    {"RobertaProcessing", build_roberta_processing},
    {"ByteLevel", build_byte_level_post_processor},
    {"Sequence", build_post_processor_sequence},
};

constexpr Row<Decoder> kDecoders[] = {
    {"WordPiece", build_word_piece_decoder},
    {"ByteLevel", build_byte_level_decoder},
};

// ----

template <class Part, size_t kCount>
std::unique_ptr<const Part> build(const Row<Part> (&rows)[kCount], const char* what,
                                  const std::string& type, const JsonView& json,
                                  const PartContext& context) {
  std::string known;
  for (const Row<Part>& row : rows) {
    if (row.type == type) return row.build(json, context);
    known += (known.empty() ? "" : ", ") + std::string(row.type);
  }
  json.fail(fmt::format("{} \"{}\" is not supported; supported: {}", what, quote_for_message(type),
                        known));
}

// Builds the steps of a Sequence; overrides of a config do not apply to them.
template <class Part>
std::vector<std::unique_ptr<const Part>> build_steps(
    const JsonView& list, const char* what, const PartContext& context,
    std::unique_ptr<const Part> (*build_step)(const JsonView&, const PartContext&)) {
  const ConfigOverrides none;
  const PartContext inside{none, context.vocabulary, context.added};
  std::vector<std::unique_ptr<const Part>> steps;
  for (const JsonView& step : list.items()) {
    if (step.is_null()) step.refuse(fmt::format("a {}", what));
    steps.push_back(build_step(step, inside));
  }
  return steps;
}

std::unique_ptr<const Normalizer> build_normalizer_sequence(const JsonView& json,
                                                            const PartContext& context) {
  return std::make_unique<SequenceNormalizer>(
      build_steps(json.at("normalizers"), "normalizer", context, build_normalizer));
}

std::unique_ptr<const PreTokenizer> build_pre_tokenizer_sequence(const JsonView& json,
                                                                 const PartContext& context) {
  return std::make_unique<SequencePreTokenizer>(
      build_steps(json.at("pretokenizers"), "pre-tokenizer", context, build_pre_tokenizer));
}

std::unique_ptr<const PostProcessor> build_post_processor_sequence(const JsonView& json,
                                                                   const PartContext& context) {
  const JsonView list = json.at("processors");
  return SequencePostProcessor::make(
      build_steps(list, "post-processor", context, build_post_processor), list);
}

// Files older than tokenizers 0.10 have models without "type"; that library tries each kind in
// turn.
std::string type_of_model(const JsonView& json) {
  if (json.has("type")) return json.at("type").string();
  if (json.has("merges")) return "BPE";
  if (json.has("continuing_subword_prefix") && json.has("max_input_chars_per_word")) {
    return "WordPiece";
  }
  return json.at("vocab").is_object() ? "WordLevel" : "Unigram";
}

}  // namespace

std::unique_ptr<const Normalizer> build_normalizer(const JsonView& json,
                                                   const PartContext& context) {
  if (json.is_null()) return nullptr;
  return build(kNormalizers, "normalizer", json.at("type").string(), json, context);
}

std::unique_ptr<const PreTokenizer> build_pre_tokenizer(const JsonView& json,
                                                        const PartContext& context) {
  if (json.is_null()) return nullptr;
  return build(kPreTokenizers, "pre-tokenizer", json.at("type").string(), json, context);
}

std::unique_ptr<const TokenModel> build_model(const JsonView& json, const PartContext& context) {
  return build(kModels, "model", type_of_model(json), json, context);
}

std::unique_ptr<const PostProcessor> build_post_processor(const JsonView& json,
                                                          const PartContext& context) {
  if (json.is_null()) return std::make_unique<PostProcessor>(TextsAlone());
  return build(kPostProcessors, "post-processor", json.at("type").string(), json, context);
}

std::unique_ptr<const Decoder> build_decoder(const JsonView& json, const PartContext& context) {
  if (json.is_null()) return std::make_unique<SpaceDecoder>();
  return build(kDecoders, "decoder", json.at("type").string(), json, context);
}

Vocabulary build_vocabulary(const JsonView& vocab) {
  if (!vocab.is_object()) vocab.refuse("an object of tokens and ids");
  Vocabulary vocabulary;
  const Json::Object& entries = vocab.value().as_object();
  vocabulary.reserve(entries.size());
  const ErrorPlace place = vocab.place();
  for (const auto& [token, id] : entries) {
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<uint64_t>() > INT64_MAX)) {
      vocab.fail(fmt::format("token \"{}\" has no usable id", quote_for_message(token)));
    }
    vocabulary.add(token, id.get<int64_t>(), place);
  }
  return vocabulary;
}

}  // namespace spanforge
