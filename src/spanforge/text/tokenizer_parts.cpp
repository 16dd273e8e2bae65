#include "spanforge/text/tokenizer_parts.h"

#include <fmt/core.h>

#include <cmath>
#include <map>

#include "spanforge/base/error.h"
#include "spanforge/text/wordpiece.h"

namespace spanforge {

void JsonView::fail(const std::string& reason) const {
  throw Error(ErrorCode::kBadModel, place_, reason);
}
bool JsonView::is_null() const { return value_->is_null(); }
bool JsonView::is_object() const { return value_->is_object(); }
bool JsonView::is_string() const { return value_->is_string(); }
bool JsonView::has(const std::string& key) const {
  return value_->is_object() && value_->contains(key) && !(*value_)[key].is_null();
}
JsonView JsonView::at(const std::string& key) const {
  if (!value_->is_object()) fail("an object must stand here");
  const Json* found = value_->find(key);
  if (found == nullptr) fail(fmt::format("the key \"{}\" is missing", key));
  // "FILE: a.b.c"; the file's name may hold dots, so the first step is set off by ": ".
  const bool inside = place_.find(": ") != std::string::npos;
  return {*found, place_ + (inside ? "." : ": ") + key};
}
std::string JsonView::string() const {
  if (!value_->is_string()) fail("a string must stand here");
  return value_->get<std::string>();
}
bool JsonView::boolean() const {
  if (!value_->is_boolean()) fail("true or false must stand here");
  return value_->get<bool>();
}
int64_t JsonView::integer() const {
  if (!value_->is_number_integer()) fail("a whole number must stand here");
  if (value_->is_number_unsigned() && value_->get<uint64_t>() > INT64_MAX) {
    fail("the number is too large");
  }
  return value_->get<int64_t>();
}
std::vector<JsonView> JsonView::items() const {
  if (!value_->is_array()) fail("a list must stand here");
  std::vector<JsonView> out;
  for (size_t i = 0; i < value_->size(); ++i) {
    out.emplace_back((*value_)[i], fmt::format("{}[{}]", place_, i));
  }
  return out;
}
std::vector<std::pair<std::string, JsonView>> JsonView::members() const {
  if (!value_->is_object()) fail("an object must stand here");
  std::vector<std::pair<std::string, JsonView>> out;
  for (const auto& [key, value] : value_->items()) {
    out.emplace_back(key, JsonView(value, place_ + "." + quote_for_message(key)));
  }
  return out;
}

namespace {

[[noreturn]] void fail_unsupported(const JsonView& json, const std::string& what,
                                   const std::string& type, const std::string& supported) {
  json.fail(fmt::format("{} \"{}\" is not supported; supported: {}", what, quote_for_message(type),
                        supported));
}

std::optional<bool> optional_boolean(const JsonView& json, const std::string& key) {
  if (json.at(key).is_null()) return std::nullopt;
  return json.at(key).boolean();
}

BertNormalizerOptions bert_options(const JsonView& json, const BertOverrides& overrides) {
  BertNormalizerOptions options;
  options.clean_text = json.at("clean_text").boolean();
  options.handle_chinese_chars =
      overrides.handle_chinese_chars.value_or(json.at("handle_chinese_chars").boolean());
  options.lowercase = overrides.lowercase.value_or(json.at("lowercase").boolean());
  std::optional<bool> strip_accents = optional_boolean(json, "strip_accents");
  if (overrides.strip_accents) strip_accents = *overrides.strip_accents;
  options.strip_accents = strip_accents.value_or(options.lowercase);
  return options;
}

struct Piece {  // of a template, before its special tokens are known
  int32_t sequence;
  std::string token;
  int32_t type_id;
};

int32_t type_id_of(const JsonView& json) {
  const int64_t id = json.integer();
  if (id < 0 || id > 1000) json.fail("a token type runs from 0 to 1000");
  return static_cast<int32_t>(id);
}

Piece build_piece(const JsonView& json) {
  if (json.has("Sequence")) {
    const JsonView sequence = json.at("Sequence");
    const std::string id = sequence.at("id").string();
    if (id != "A" && id != "B") sequence.at("id").fail("a sequence is \"A\" or \"B\"");
    return {id == "A" ? 0 : 1, "", type_id_of(sequence.at("type_id"))};
  }
  const JsonView token = json.at("SpecialToken");
  return {-1, token.at("id").string(), type_id_of(token.at("type_id"))};
}

int32_t known_id(const JsonView& json, const Tokenizer::Impl& impl) {
  const int64_t id = json.integer();
  if (id < 0 || id > Vocabulary::kMaxId ||
      (!impl.model->vocabulary().has_id(static_cast<int32_t>(id)) &&
       impl.added.find_id(static_cast<int32_t>(id)) == nullptr)) {
    json.fail(fmt::format("the vocabulary has no token with id {}", id));
  }
  return static_cast<int32_t>(id);
}

// A special token of a template: it may stand for several ids.
using SpecialMap = std::map<std::string, std::vector<std::pair<int32_t, std::string>>>;

SpecialMap build_specials(const JsonView& json, const Tokenizer::Impl& impl) {
  SpecialMap specials;
  for (const auto& [name, token] : json.members()) {
    const auto ids = token.at("ids").items();
    const auto texts = token.at("tokens").items();
    if (ids.size() != texts.size()) token.fail("ids and tokens must be equally many");
    for (size_t i = 0; i < ids.size(); ++i) {
      specials[name].emplace_back(known_id(ids[i], impl), texts[i].string());
    }
  }
  return specials;
}

Template build_template(const JsonView& json, const SpecialMap& specials, bool pair) {
  Template out;
  for (const JsonView& item : json.items()) {
    const Piece piece = build_piece(item);
    if (piece.sequence >= 0) {
      if (piece.sequence == 1 && !pair) item.fail("a single text has no sequence B");
      out.pieces.push_back({piece.sequence, 0, piece.type_id});
      out.texts.emplace_back();
      continue;
    }
    const auto found = specials.find(piece.token);
    if (found == specials.end()) {
      item.fail(fmt::format("the template names \"{}\", which special_tokens lacks",
                            quote_for_message(piece.token)));
    }
    for (const auto& [id, text] : found->second) {
      out.pieces.push_back({-1, id, piece.type_id});
      out.texts.push_back(text);
    }
  }
  return out;
}

void add_sequence(Template& out, int32_t sequence) {
  out.pieces.push_back({sequence, 0, sequence});
  out.texts.emplace_back();
}
void add_special(Template& out, const std::pair<int32_t, std::string>& token, int32_t type_id) {
  out.pieces.push_back({-1, token.first, type_id});
  out.texts.push_back(token.second);
}

// BertProcessing's "sep": ["[SEP]", 102].
std::pair<int32_t, std::string> named_token(const JsonView& json, const Tokenizer::Impl& impl) {
  const auto items = json.items();
  if (items.size() != 2) json.fail("a token and its id must stand here");
  return {known_id(items[1], impl), items[0].string()};
}

}  // namespace

BuiltNormalizer build_normalizer(const JsonView& json, const BertOverrides& overrides) {
  if (json.is_null()) return {};
  const std::string type = json.at("type").string();
  if (type == "BertNormalizer") {
    const BertNormalizerOptions options = bert_options(json, overrides);
    return {std::make_unique<BertNormalizer>(options), options};
  }
  if (type == "Lowercase") return {std::make_unique<LowercaseNormalizer>(), {}};
  if (type == "NFD") return {std::make_unique<NfdNormalizer>(), {}};
  if (type == "StripAccents") return {std::make_unique<StripAccentsNormalizer>(), {}};
  if (type == "Sequence") {
    std::vector<std::unique_ptr<const Normalizer>> steps;
    for (const JsonView& step : json.at("normalizers").items()) {
      steps.push_back(build_normalizer(step, {}).normalizer);
      if (steps.back() == nullptr) step.fail("a normalizer must stand here");
    }
    return {std::make_unique<SequenceNormalizer>(std::move(steps)), {}};
  }
  fail_unsupported(json, "normalizer", type,
                   "BertNormalizer, Lowercase, NFD, StripAccents, Sequence");
}

std::unique_ptr<const PreTokenizer> build_pre_tokenizer(const JsonView& json) {
  if (json.is_null()) return nullptr;
  const std::string type = json.at("type").string();
  if (type == "BertPreTokenizer") return std::make_unique<BertPreTokenizer>();
  if (type == "Whitespace") return std::make_unique<WhitespacePreTokenizer>();
  if (type == "WhitespaceSplit") return std::make_unique<WhitespaceSplitPreTokenizer>();
  if (type == "Sequence") {
    std::vector<std::unique_ptr<const PreTokenizer>> steps;
    for (const JsonView& step : json.at("pretokenizers").items()) {
      steps.push_back(build_pre_tokenizer(step));
      if (steps.back() == nullptr) step.fail("a pre-tokenizer must stand here");
    }
    return std::make_unique<SequencePreTokenizer>(std::move(steps));
  }
  fail_unsupported(json, "pre-tokenizer", type,
                   "BertPreTokenizer, Whitespace, WhitespaceSplit, Sequence");
}

std::unique_ptr<const TokenModel> build_model(const JsonView& json) {
  const std::string type = json.has("type") ? json.at("type").string() : "WordPiece";
  if (type != "WordPiece") fail_unsupported(json, "model", type, "WordPiece");
  WordPieceOptions options;
  options.unk_token = json.at("unk_token").string();
  options.continuing_subword_prefix = json.at("continuing_subword_prefix").string();
  options.max_input_chars_per_word = json.at("max_input_chars_per_word").integer();
  if (options.max_input_chars_per_word < 0) {
    json.at("max_input_chars_per_word").fail("the number cannot be negative");
  }
  const JsonView vocab = json.at("vocab");
  if (!vocab.is_object()) vocab.fail("an object of tokens and ids must stand here");
  Vocabulary vocabulary;
  const Json::Object& entries = vocab.value().as_object();
  vocabulary.reserve(entries.size());
  auto tokens = vocabulary.ahead(entries.size(),
                                 [&](size_t i) -> std::string_view { return entries[i].key; });
  for (const auto& [token, id] : entries) {
    if (!id.is_number_integer() || (id.is_number_unsigned() && id.get<uint64_t>() > INT64_MAX)) {
      vocab.fail(fmt::format("token \"{}\" has no usable id", quote_for_message(token)));
    }
    vocabulary.add(tokens.next(), id.get<int64_t>(), vocab.place());
  }
  return std::make_unique<WordPiece>(std::move(vocabulary), std::move(options), vocab.place());
}

std::unique_ptr<const Decoder> build_decoder(const JsonView& json) {
  if (json.is_null()) return std::make_unique<SpaceDecoder>();
  const std::string type = json.at("type").string();
  if (type == "WordPiece") {
    return std::make_unique<WordPieceDecoder>(json.at("prefix").string(),
                                              json.at("cleanup").boolean());
  }
  fail_unsupported(json, "decoder", type, "WordPiece");
}

void build_templates(const JsonView& json, Tokenizer::Impl& impl) {
  if (json.is_null()) {
    add_sequence(impl.single, 0);
    add_sequence(impl.pair, 0);
    add_sequence(impl.pair, 1);
    return;
  }
  const std::string type = json.at("type").string();
  if (type == "TemplateProcessing") {
    const SpecialMap specials = build_specials(json.at("special_tokens"), impl);
    impl.single = build_template(json.at("single"), specials, false);
    impl.pair = build_template(json.at("pair"), specials, true);
    return;
  }
  if (type == "BertProcessing") {
    const auto cls = named_token(json.at("cls"), impl), sep = named_token(json.at("sep"), impl);
    for (Template* pieces : {&impl.single, &impl.pair}) {
      add_special(*pieces, cls, 0);
      add_sequence(*pieces, 0);
      add_special(*pieces, sep, 0);
    }
    add_sequence(impl.pair, 1);
    add_special(impl.pair, sep, 1);
    return;
  }
  fail_unsupported(json, "post-processor", type, "TemplateProcessing, BertProcessing");
}

}  // namespace spanforge
