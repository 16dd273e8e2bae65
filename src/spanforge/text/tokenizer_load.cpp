// Reads tokenizers from files, as transformers 4.57's fast tokenizers do: tokenizer.json with the
// overrides of tokenizer_config.json, or the files of a kind (tokenizer_kind.h). From those it
// builds and reads the tokenizer.json that transformers would make.

#include <algorithm>
#include <set>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/io/file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/text/bert_document.h"
#include "spanforge/text/bert_fast_path.h"
#include "spanforge/text/byte_level_fast_path.h"
#include "spanforge/text/tokenizer_class.h"
#include "spanforge/text/tokenizer_impl.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {
namespace {

// The special tokens' names in transformers, in the order in which it adds the tokens.
constexpr const char* kSpecialNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                         "pad_token", "cls_token", "mask_token"};

// A token is a string or an object with "content" and flags.
std::optional<std::string> token_content(const JsonView& json) {
  if (json.is_null()) return std::nullopt;
  return json.is_object() ? json.at("content").string() : json.string();
}

AddedToken added_token(const JsonView& json) {
  AddedToken token;
  token.content = json.at("content").string();
  token.single_word = json.at("single_word").boolean();
  token.lstrip = json.at("lstrip").boolean();
  token.rstrip = json.at("rstrip").boolean();
  token.normalized = json.at("normalized").boolean();
  token.special = json.at("special").boolean();
  return token;
}

AddedToken special_token(std::string content) {
  AddedToken token;
  token.content = std::move(content);
  token.normalized = false;
  token.special = true;
  return token;
}

// A token of a config; flags that an object does not state are false.
std::optional<AddedToken> special_token(const JsonView& json) {
  const auto content = token_content(json);
  if (!content) return std::nullopt;
  AddedToken token = special_token(*content);
  if (!json.is_object()) return token;
  token.single_word = json.boolean_or("single_word", false);
  token.lstrip = json.boolean_or("lstrip", false);
  token.rstrip = json.boolean_or("rstrip", false);
  token.normalized = json.boolean_or("normalized", false);
  return token;
}

// tokenizer_config.json, and the older files that transformers also reads if the config lists no
// added tokens.
struct Config {
  Json json = Json::object();
  std::string place = kTokenizerConfigFile;
  Json added_tokens = Json::object();  // added_tokens.json
  TokenizerClass asked;
  JsonView view() const { return {json, place}; }
};

void add_file_tokens(const JsonView& json, Tokenizer::Impl& impl) {
  std::set<std::string> seen;
  for (const JsonView& item : json.items()) {
    AddedToken token = added_token(item);
    const int64_t id = item.at("id").integer();
    const std::string content = token.content;
    if (!seen.insert(content).second) {
      item.fail(fmt::format("the added token \"{}\" is listed twice", quote_for_message(content)));
    }
    impl.added.add(std::move(token), impl.model->vocabulary());
    const AddedToken* added = impl.added.find_content(content);
    if (added != nullptr && added->id != id) {
      item.fail(fmt::format("the added token \"{}\" states id {}, but its id is {}",
                            quote_for_message(content), id, added->id));
    }
  }
}

void add_config_tokens(const Config& config, Tokenizer::Impl& impl) {
  const JsonView view = config.view();
  const auto add = [&](AddedToken token) {
    if (impl.added.find_content(token.content) == nullptr) {
      impl.added.add(std::move(token), impl.model->vocabulary());
    }
  };
  if (view.has("added_tokens_decoder")) {
    std::vector<std::pair<int64_t, AddedToken>> tokens;
    for (const auto& [key, token] : view.at("added_tokens_decoder").members()) {
      if (key.empty() || key.size() > 9 || key.find_first_not_of("0123456789") != key.npos) {
        token.fail("the key must be an id");
      }
      tokens.emplace_back(std::stoll(key), added_token(token));
    }
    std::stable_sort(tokens.begin(), tokens.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [id, token] : tokens) add(std::move(token));
  }
  std::vector<AddedToken> specials;
  const auto take = [&](const JsonView& item) {
    if (auto token = special_token(item)) specials.push_back(std::move(*token));
  };
  for (const char* name : kSpecialNames) {
    if (view.has(name)) take(view.at(name));
  }
  // transformers 5 calls the first name by the second; before, that was an object of named tokens.
  for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
    if (!view.has(name)) continue;
    const JsonView list = view.at(name);
    if (list.is_object()) {
      for (const auto& [key, item] : list.members()) take(item);
    } else {
      for (const JsonView& item : list.items()) take(item);
    }
  }
  for (const auto& member : JsonView(config.added_tokens, kAddedTokensFile).members()) {
    AddedToken plain;
    plain.content = member.first;
    const bool special = std::any_of(specials.begin(), specials.end(), [&](const AddedToken& one) {
      return one.content == plain.content;
    });
    add(special ? special_token(plain.content) : plain);
  }
  for (AddedToken& token : specials) add(std::move(token));
}

int32_t special_id(const Tokenizer::Impl& impl, const Config& config, const std::string& name,
                   const std::optional<std::string>& usual) {
  std::optional<std::string> content = usual;
  if (config.json.contains(name)) content = token_content(config.view().at(name));
  if (!content) return -1;
  if (const AddedToken* added = impl.added.find_content(*content)) return added->id;
  return impl.model->vocabulary().find(*content).value_or(-1);
}

std::optional<int32_t> usable_max_length(const Config& config) {
  // "No limit" is written as a huge number (10^30).
  const Json* found = config.json.find("model_max_length");
  if (found == nullptr || !found->is_number()) return std::nullopt;
  const auto length = found->get<double>();
  if (!(length >= 1 && length <= 1e9)) return std::nullopt;
  return static_cast<int32_t>(length);
}

Json parse_config(std::string_view text, const std::string& place) {
  Json json = parse_json(text, place, ErrorCode::kBadModel);
  JsonView(json, place).object();
  return json;
}

// A model without token types takes all of them as 0.
void forget_token_types(Tokenizer::Impl& impl) {
  for (Template* pieces : {&impl.single, &impl.pair}) {
    pieces->makes_types = false;
    for (TemplatePiece& piece : pieces->pieces) piece.type_id = 0;
  }
}

// Removes config.json from the files and returns what it says about the tokenizer. The model's
// reader reports other errors in it.
Json take_model_config(FileTexts& texts) {
  const auto node = texts.extract(kModelConfigFile);
  if (node.empty()) return Json::object();
  try {
    Json json = parse_json(node.mapped(), kModelConfigFile, ErrorCode::kBadModel);
    return json.is_object() ? json : Json::object();
  } catch (const Error&) {
    return Json::object();
  }
}

std::unique_ptr<const FastPath> make_fast_path(const Tokenizer::Impl& impl) {
  for (const auto make : {BertFastPath::make, ByteLevelFastPath::make}) {
    auto path = make(impl.normalizer.get(), impl.pre_tokenizer.get(), impl.model.get(), impl.added);
    if (path != nullptr) return path;
  }
  return nullptr;
}

std::unique_ptr<Tokenizer::Impl> build(const Json& document, const std::string& place,
                                       const Config& config) {
  const JsonView view(document, place);
  if (view.object().has("version") && view.at("version").string() != "1.0") {
    view.at("version").fail("only version 1.0 of tokenizer.json is known");
  }
  static const Json kNull = nullptr;
  const auto part = [&](const char* name) {
    return view.has(name) ? view.at(name) : JsonView(kNull, place);
  };
  ConfigOverrides over;
  over.add_prefix_space = prefix_space_of(config.view());
  if (config.asked.kind != nullptr) over = config.asked.kind->overrides(config.view());
  PartContext context{over};
  auto impl = std::make_unique<Tokenizer::Impl>();
  impl->model = build_model(view.at("model"), context);
  impl->normalizer = build_normalizer(part("normalizer"), context);
  impl->pre_tokenizer = build_pre_tokenizer(part("pre_tokenizer"), context);
  impl->decoder = build_decoder(part("decoder"), context);
  if (view.has("added_tokens")) add_file_tokens(view.at("added_tokens"), *impl);
  add_config_tokens(config, *impl);
  impl->added.finish(impl->normalizer.get(), place);
  impl->fast_path = make_fast_path(*impl);
  context.vocabulary = &impl->model->vocabulary();
  context.added = &impl->added;
  impl->post_processor = build_post_processor(part("post_processor"), context);
  impl->single = impl->post_processor->single();
  impl->pair = impl->post_processor->pair();
  if (!config.asked.makes_token_types) forget_token_types(*impl);
  impl->class_name = config.asked.name;
  impl->kind = config.asked.kind;
  SpecialTokens& special = impl->special;
  special.bos = special_id(*impl, config, "bos_token", std::nullopt);
  special.eos = special_id(*impl, config, "eos_token", std::nullopt);
  special.unk = special_id(*impl, config, "unk_token", "[UNK]");
  special.sep = special_id(*impl, config, "sep_token", "[SEP]");
  special.pad = special_id(*impl, config, "pad_token", "[PAD]");
  special.cls = special_id(*impl, config, "cls_token", "[CLS]");
  special.mask = special_id(*impl, config, "mask_token", "[MASK]");
  if (special.unk < 0) special.unk = impl->model->unknown_id();
  impl->model_max_length = usable_max_length(config);
  impl->cleans_up = config.json.value("clean_up_tokenization_spaces", Json(false)) == Json(true);
  return impl;
}

// Makes BERT's tokenizer from the lines of a vocabulary.
std::unique_ptr<Tokenizer::Impl> build_from_lines(const std::vector<std::string>& lines,
                                                  const Tokenizer::BertOptions& options,
                                                  const std::string& place) {
  Config config;
  config.asked.kind = &bert_kind();
  complete_bert_config(options, config.json);
  bert_kind().complete(config.json, /*has_tokenizer_json=*/false);
  return build(make_bert_document(lines, options, place), place, config);
}

// Settings of the tokenizer in a directory's files, other than its parts.
Config read_config(const FileTexts& texts, const Json& model_config,
                   const std::filesystem::path& directory) {
  const auto place = [&](const char* name) { return (directory / name).string(); };
  const auto read = [&](const char* name) { return parse_config(texts.at(name), place(name)); };
  Config config;
  config.place = place(kTokenizerConfigFile);
  if (texts.count(kTokenizerConfigFile)) config.json = read(kTokenizerConfigFile);
  config.asked = find_tokenizer_class(config.view(), {model_config, place(kModelConfigFile)},
                                      texts.count(kTokenizerJsonFile) > 0);
  if (config.json.contains("added_tokens_decoder") &&
      !config.json["added_tokens_decoder"].is_null()) {
    return config;
  }
  if (texts.count(kSpecialTokensMapFile)) {
    const Json specials = read(kSpecialTokensMapFile);
    const auto take = [&](const char* name) {
      if (specials.contains(name)) config.json[name] = specials[name];
    };
    for (const char* name : kSpecialNames) take(name);
    take("additional_special_tokens");
  }
  if (texts.count(kAddedTokensFile)) config.added_tokens = read(kAddedTokensFile);
  return config;
}

}  // namespace

bool prefix_space_of(const JsonView& config) {
  return config.boolean_or("add_prefix_space", false);
}

Tokenizer Tokenizer::from_json(std::string_view json_text, std::string_view config_text,
                               const std::string& place) {
  Config config;
  config.place = place + " (" + kTokenizerConfigFile + ")";
  if (!config_text.empty()) config.json = parse_config(config_text, config.place);
  const Json no_model = Json::object();
  config.asked = find_tokenizer_class(config.view(), {no_model, place}, true);
  choose_kind_by_files({}, config.asked);
  if (config.asked.kind != nullptr) config.asked.kind->complete(config.json, true);
  auto impl = build(parse_json(json_text, place, ErrorCode::kBadModel), place, config);
  impl->files[kTokenizerJsonFile] = json_text;
  if (!config_text.empty()) impl->files[kTokenizerConfigFile] = config_text;
  return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::from_vocabulary(const std::vector<std::string>& vocabulary,
                                     const BertOptions& options, const std::string& place) {
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    if (find_invalid_utf8(vocabulary[i])) {
      throw Error(ErrorCode::kBadModel, {.file = place, .where = fmt::format("token {}", i)},
                  "invalid UTF-8");
    }
  }
  return Tokenizer(build_from_lines(vocabulary, options, place));
}

Tokenizer Tokenizer::from_vocabulary_file(const std::filesystem::path& file,
                                          const BertOptions& options) {
  return from_vocabulary_text(read_file(file), options, file.string());
}

Tokenizer Tokenizer::from_vocabulary_text(std::string text, const BertOptions& options,
                                          const std::string& place) {
  auto impl = build_from_lines(read_vocab_txt(text, place), options, place);
  impl->files[kVocabTxtFile] = std::move(text);
  return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory) {
  FileTexts texts;
  const auto read = [&](const char* name) {
    if (path_exists(directory / name)) texts[name] = read_file(directory / name);
  };
  for_each_tokenizer_file(read);
  if (!texts.empty()) read(kModelConfigFile);
  return from_files(std::move(texts), directory);
}

Tokenizer Tokenizer::from_files(FileTexts texts, const std::filesystem::path& directory) {
  const Json model_config = take_model_config(texts);
  bool any = false;
  for (const TokenizerFiles& row : kTokenizerFiles) any = any || texts.count(row.names[0]) > 0;
  if (!any) {
    throw Error(
        ErrorCode::kIo, directory.string(),
        fmt::format("has none of {}; is this a model directory?", describe_tokenizer_files()));
  }
  Config config = read_config(texts, model_config, directory);
  choose_kind_by_files(texts, config.asked);
  const bool has_json = texts.count(kTokenizerJsonFile) > 0;
  if (!has_json) require_files(config.asked, texts, directory);
  const Json stated = config.json;
  if (config.asked.kind != nullptr) config.asked.kind->complete(config.json, has_json);
  std::unique_ptr<Impl> impl;
  if (has_json) {
    const std::string place = (directory / kTokenizerJsonFile).string();
    impl = build(parse_json(texts[kTokenizerJsonFile], place, ErrorCode::kBadModel), place, config);
    check_vocabulary_files(texts, *impl->model, directory);
  } else {
    const TokenizerKind& kind = *config.asked.kind;
    const TokenizerKind::Document made =
        kind.make_document(texts, config.view(), {stated, config.place}, directory);
    impl = build(made.json, (directory / kind.files().names[0]).string(), config);
    impl->note = made.note;
  }
  impl->files = std::move(texts);
  return Tokenizer(std::move(impl));
}

}  // namespace spanforge
