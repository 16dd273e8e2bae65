#pragma once
// The parts of a tokenizer.json, each built from its JSON value.
// Errors: all throw Error{kBadModel} whose place is FILE and the path of the value; a component of
// a kind that is not supported is named, with those that are.

#include <memory>
#include <string>

#include "spanforge/base/json.h"
#include "spanforge/text/tokenizer_impl.h"

namespace spanforge {

// A JSON value and where it stands, for messages: "FILE: normalizer.lowercase".
class JsonView {
 public:
  JsonView(const Json& value, std::string place) : value_(&value), place_(std::move(place)) {}
  [[noreturn]] void fail(const std::string& reason) const;
  bool is_null() const;
  bool is_object() const;
  bool is_string() const;
  bool has(const std::string& key) const;     // false for null
  JsonView at(const std::string& key) const;  // must be there
  std::string string() const;
  bool boolean() const;
  int64_t integer() const;
  std::vector<JsonView> items() const;                            // of an array
  std::vector<std::pair<std::string, JsonView>> members() const;  // of an object
  const Json& value() const { return *value_; }
  const std::string& place() const { return place_; }

 private:
  const Json* value_;
  std::string place_;
};

// What tokenizer_config.json says over the normaliser (transformers' BERT tokenizers let it win).
struct BertOverrides {
  std::optional<bool> lowercase, handle_chinese_chars;
  std::optional<std::optional<bool>> strip_accents;
};

struct BuiltNormalizer {
  std::unique_ptr<const Normalizer> normalizer;
  std::optional<BertNormalizerOptions> bert;
};

BuiltNormalizer build_normalizer(const JsonView& json, const BertOverrides& overrides);
std::unique_ptr<const PreTokenizer> build_pre_tokenizer(const JsonView& json);
std::unique_ptr<const TokenModel> build_model(const JsonView& json);
std::unique_ptr<const Decoder> build_decoder(const JsonView& json);
// Fills single and pair; ids must be among those of the vocabulary and the added tokens.
void build_templates(const JsonView& json, Tokenizer::Impl& impl);

}  // namespace spanforge
