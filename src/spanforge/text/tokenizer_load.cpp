// Tokenizers from files, as transformers 4.57's fast BERT tokenizers read them: tokenizer.json with
// what tokenizer_config.json says over it, or vocab.txt, from which the tokenizer.json that
// transformers would make is built and read.

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/base/foreign_content.h"
#include "spanforge/text/bert_document.h"
#include "spanforge/text/tokenizer_class.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {
namespace {

constexpr const char* kTokenizerJson = "tokenizer.json";
constexpr const char* kVocabTxt = "vocab.txt";
constexpr const char* kConfigJson = "tokenizer_config.json";
constexpr const char* kSpecialMapJson = "special_tokens_map.json";
constexpr const char* kAddedTokensJson = "added_tokens.json";
constexpr const char* kModelConfigJson = "config.json";

// The attributes transformers knows, in the order in which it adds their tokens.
constexpr const char* kSpecialNames[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                         "pad_token", "cls_token", "mask_token"};

// A token is written as a string or as an object with "content" and flags.
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

// tokenizer_config.json, with the older files that transformers reads beside it where the config
// lists no added tokens itself.
struct Config {
  Json json = Json::object();
  std::string place = kConfigJson;
  Json added_tokens = Json::object();  // added_tokens.json
  TokenizerClass asked;
  JsonView view() const { return {json, place}; }
};

BertOverrides overrides_of(const Config& config) {
  const JsonView view = config.view();
  BertOverrides overrides;
  if (config.asked.is_file_alone) return overrides;
  if (view.has("do_lower_case")) overrides.lowercase = view.at("do_lower_case").boolean();
  if (view.has("tokenize_chinese_chars")) {
    overrides.handle_chinese_chars = view.at("tokenize_chinese_chars").boolean();
  }
  if (config.json.contains("strip_accents")) {
    overrides.strip_accents.emplace();
    if (view.has("strip_accents")) *overrides.strip_accents = view.at("strip_accents").boolean();
  }
  return overrides;
}

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
  std::vector<std::string> specials;
  for (const char* name : kSpecialNames) {
    if (!view.has(name)) continue;
    if (const auto content = token_content(view.at(name))) specials.push_back(*content);
  }
  const auto take = [&](const JsonView& item) {
    if (const auto content = token_content(item)) specials.push_back(*content);
  };
  // The second is what transformers 5 calls the first; before, it was an object of named tokens.
  for (const char* name : {"additional_special_tokens", "extra_special_tokens"}) {
    if (!view.has(name)) continue;
    const JsonView list = view.at(name);
    if (list.is_object()) {
      for (const auto& [key, item] : list.members()) take(item);
    } else {
      for (const JsonView& item : list.items()) take(item);
    }
  }
  for (const auto& [token, id] : JsonView(config.added_tokens, kAddedTokensJson).members()) {
    AddedToken plain;
    plain.content = token;
    const bool special = std::find(specials.begin(), specials.end(), token) != specials.end();
    add(special ? special_token(token) : plain);
  }
  for (std::string& content : specials) add(special_token(std::move(content)));
}

int32_t special_id(const Tokenizer::Impl& impl, const Config& config, const std::string& name,
                   const std::string& usual) {
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
  if (!json.is_object()) throw Error(ErrorCode::kBadModel, place, "an object must stand here");
  return json;
}

// Where a model is given no token types it takes all of them for 0.
void forget_token_types(Tokenizer::Impl& impl) {
  for (Template* pieces : {&impl.single, &impl.pair}) {
    pieces->makes_types = false;
    for (TemplatePiece& piece : pieces->pieces) piece.type_id = 0;
  }
}

// config.json, for what it says of the tokenizer; what else is wrong with it is for the model's reader.
Json read_model_config(const std::filesystem::path& file) {
  if (!path_exists(file)) return Json::object();
  try {
    Json json = parse_json(read_file(file), file.string(), ErrorCode::kBadModel);
    return json.is_object() ? json : Json::object();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kBadModel) throw;
    return Json::object();
  }
}

std::unique_ptr<Tokenizer::Impl> build(const Json& document, const std::string& place,
                                       const Config& config) {
  const JsonView view(document, place);
  if (!document.is_object()) view.fail("an object must stand here");
  if (view.has("version") && view.at("version").string() != "1.0") {
    view.at("version").fail("only version 1.0 of tokenizer.json is known");
  }
  static const Json kNull = nullptr;
  const auto part = [&](const char* name) {
    return view.has(name) ? view.at(name) : JsonView(kNull, place);
  };
  auto impl = std::make_unique<Tokenizer::Impl>();
  impl->model = build_model(view.at("model"));
  BuiltNormalizer normalizer = build_normalizer(part("normalizer"), overrides_of(config));
  impl->normalizer = std::move(normalizer.normalizer);
  impl->bert_normalizer = normalizer.bert;
  impl->pre_tokenizer = build_pre_tokenizer(part("pre_tokenizer"));
  impl->decoder = build_decoder(part("decoder"));
  if (view.has("added_tokens")) add_file_tokens(view.at("added_tokens"), *impl);
  add_config_tokens(config, *impl);
  impl->added.finish(impl->normalizer.get(), place);
  impl->fast_path = BertFastPath::make(impl->normalizer.get(), impl->pre_tokenizer.get(),
                                       impl->model.get(), impl->added);
  build_templates(part("post_processor"), *impl);
  if (!config.asked.makes_token_types) forget_token_types(*impl);
  impl->class_name = config.asked.name;
  impl->special.unk = special_id(*impl, config, "unk_token", "[UNK]");
  impl->special.sep = special_id(*impl, config, "sep_token", "[SEP]");
  impl->special.pad = special_id(*impl, config, "pad_token", "[PAD]");
  impl->special.cls = special_id(*impl, config, "cls_token", "[CLS]");
  impl->special.mask = special_id(*impl, config, "mask_token", "[MASK]");
  if (impl->special.unk < 0) impl->special.unk = impl->model->unknown_id();
  impl->model_max_length = usable_max_length(config);
  impl->cleans_up = config.json.value("clean_up_tokenization_spaces", Json(false)) == Json(true);
  return impl;
}

// BERT's tokenizer over the lines of a vocabulary.
std::unique_ptr<Tokenizer::Impl> build_from_lines(const std::vector<std::string>& lines,
                                                  const std::string& place, Config config) {
  const Tokenizer::BertOptions options = bert_options_of(config.view());
  complete_bert_config(options, config.json);
  constexpr const char* kCleanUp = "clean_up_tokenization_spaces";
  if (!config.json.contains(kCleanUp)) config.json[kCleanUp] = true;  // as transformers' BertTokenizer
  return build(make_bert_document(lines, options, place), place, config);
}

// Lines as Python's universal newlines see them: ended by \n, \r\n or \r.
std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find_first_of("\r\n", start), text.size());
    lines.emplace_back(text.substr(start, end - start));
    start = end + (text.substr(end, 2) == "\r\n" ? 2 : 1);
  }
  return lines;
}

std::vector<std::string> read_vocabulary(std::string_view text, const std::string& place) {
  refuse_foreign_content(text, place, ErrorCode::kBadModel);
  if (const auto bad = find_invalid_utf8(text)) {
    const auto line =
        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
    throw Error(ErrorCode::kBadModel, fmt::format("{}: line {}", place, line + 1),
                "invalid UTF-8; a vocabulary is a UTF-8 text file with one token a line");
  }
  return split_lines(text);
}

// transformers lower-cases where no file states do_lower_case, and the packs of cased models state it
// nowhere: all tokens with capitals would be lost.
std::optional<std::string> describe_lost_capitals(const std::vector<std::string>& lines,
                                                  const JsonView& config,
                                                  const std::string& place) {
  constexpr size_t kPercent = 1;  // a vocabulary of lower case may have a few, added by hand
  if (config.has("do_lower_case")) return std::nullopt;
  const auto has_capital = [](const std::string& token) {
    return !token.starts_with('[') &&
           std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  };
  const auto count =
      static_cast<size_t>(std::count_if(lines.begin(), lines.end(), has_capital));
  if (count == 0 || count * 100 < lines.size() * kPercent) return std::nullopt;
  return fmt::format("{}: {} of {} tokens have capital letters, but no tokenizer_config.json states "
                     "do_lower_case: texts are lower-cased, as in transformers; "
                     "{{\"do_lower_case\": false}} in that file keeps capitals",
                     place, count, lines.size());
}

// Two files that say different things about the same ids would make training and serving disagree.
void check_same_vocabulary(const std::vector<std::string>& lines, const Vocabulary& vocabulary,
                           const std::string& place) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto id = vocabulary.find(lines[i]);
    const bool same = id && (*id == static_cast<int32_t>(i) ||
                             // of a line that stands there twice the last one counts
                             (*id > static_cast<int32_t>(i) &&
                              static_cast<size_t>(*id) < lines.size() && lines[*id] == lines[i]));
    if (!same) {
      throw Error(ErrorCode::kBadModel, fmt::format("{}: line {}", place, i + 1),
                  fmt::format("\"{}\" disagrees with tokenizer.json, where id {} is \"{}\"; remove "
                              "the file that is wrong",
                              quote_for_message(lines[i]), i,
                              quote_for_message(vocabulary.token(static_cast<int32_t>(i)))));
    }
  }
}

}  // namespace

Tokenizer Tokenizer::from_json(std::string_view json_text, std::string_view config_text,
                               const std::string& place) {
  Config config;
  config.place = place + " (" + kConfigJson + ")";
  if (!config_text.empty()) config.json = parse_config(config_text, config.place);
  const Json no_model = Json::object();
  config.asked = find_tokenizer_class(config.view(), {no_model, place}, true);
  auto impl = build(parse_json(json_text, place, ErrorCode::kBadModel), place, config);
  impl->files[kTokenizerJson] = json_text;
  if (!config_text.empty()) impl->files[kConfigJson] = config_text;
  return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::from_vocabulary(const std::vector<std::string>& vocabulary,
                                     const BertOptions& options, const std::string& place) {
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    if (find_invalid_utf8(vocabulary[i])) {
      throw Error(ErrorCode::kBadModel, fmt::format("{}: token {}", place, i), "invalid UTF-8");
    }
  }
  Config config;
  complete_bert_config(options, config.json);
  return Tokenizer(build_from_lines(vocabulary, place, std::move(config)));
}

Tokenizer Tokenizer::from_vocabulary_file(const std::filesystem::path& file,
                                          const BertOptions& options) {
  return from_vocabulary_text(read_file(file), options, file.string());
}

Tokenizer Tokenizer::from_vocabulary_text(std::string text, const BertOptions& options,
                                          const std::string& place) {
  Config config;
  complete_bert_config(options, config.json);
  auto impl = build_from_lines(read_vocabulary(text, place), place, std::move(config));
  impl->files[kVocabTxt] = std::move(text);
  return Tokenizer(std::move(impl));
}

Tokenizer Tokenizer::from_directory(const std::filesystem::path& directory) {
  std::map<std::string, std::string> files;
  for (const char* name :
       {kTokenizerJson, kVocabTxt, kConfigJson, kSpecialMapJson, kAddedTokensJson}) {
    if (path_exists(directory / name)) files[name] = read_file(directory / name);
  }
  const auto place = [&](const char* name) { return (directory / name).string(); };
  Config config;
  config.place = place(kConfigJson);
  if (files.count(kConfigJson)) config.json = parse_config(files[kConfigJson], config.place);
  if (files.count(kTokenizerJson) || files.count(kVocabTxt)) {
    const Json model_config = read_model_config(directory / kModelConfigJson);
    config.asked = find_tokenizer_class(config.view(), {model_config, place(kModelConfigJson)},
                                        files.count(kTokenizerJson) > 0);
  }
  if (!config.view().has("added_tokens_decoder")) {
    if (files.count(kSpecialMapJson)) {
      const Json specials = parse_config(files[kSpecialMapJson], place(kSpecialMapJson));
      const auto take = [&](const char* name) {
        if (specials.contains(name)) config.json[name] = specials[name];
      };
      for (const char* name : kSpecialNames) take(name);
      take("additional_special_tokens");
    }
    if (files.count(kAddedTokensJson)) {
      config.added_tokens = parse_config(files[kAddedTokensJson], place(kAddedTokensJson));
    }
  }
  std::vector<std::string> lines;
  if (files.count(kVocabTxt)) lines = read_vocabulary(files[kVocabTxt], place(kVocabTxt));
  std::unique_ptr<Impl> impl;
  if (files.count(kTokenizerJson)) {
    impl = build(parse_json(files[kTokenizerJson], place(kTokenizerJson), ErrorCode::kBadModel),
                 place(kTokenizerJson), config);
    check_same_vocabulary(lines, impl->model->vocabulary(), place(kVocabTxt));
  } else if (files.count(kVocabTxt)) {
    auto note = describe_lost_capitals(lines, config.view(), place(kVocabTxt));
    impl = build_from_lines(lines, place(kVocabTxt), std::move(config));
    impl->note = std::move(note);
  } else {
    throw Error(ErrorCode::kIo, directory.string(),
                "neither tokenizer.json nor vocab.txt is there; is this a model directory?");
  }
  impl->files = std::move(files);
  return Tokenizer(std::move(impl));
}

}  // namespace spanforge
