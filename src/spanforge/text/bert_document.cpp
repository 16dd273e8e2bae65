#include "spanforge/text/bert_document.h"

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/text_index.h"

namespace spanforge {
namespace {

using BertOptions = Tokenizer::BertOptions;

struct TokenName {
  const char* key;
  std::string BertOptions::*member;
};
const TokenName kNames[] = {{"unk_token", &BertOptions::unk_token},
                            {"sep_token", &BertOptions::sep_token},
                            {"pad_token", &BertOptions::pad_token},
                            {"cls_token", &BertOptions::cls_token},
                            {"mask_token", &BertOptions::mask_token}};

Json special_piece(const std::string& token, int type_id) {
  return {{"SpecialToken", {{"id", token}, {"type_id", type_id}}}};
}
Json sequence_piece(const char* id, int type_id) {
  return {{"Sequence", {{"id", id}, {"type_id", type_id}}}};
}

Json post_processor(const BertOptions& options, int32_t cls_id, int32_t sep_id) {
  const std::string& cls = options.cls_token;
  const std::string& sep = options.sep_token;
  Json out = Json::object();
  out["type"] = "TemplateProcessing";
  out["single"] =
      Json::array({special_piece(cls, 0), sequence_piece("A", 0), special_piece(sep, 0)});
  out["pair"] = Json::array({special_piece(cls, 0), sequence_piece("A", 0), special_piece(sep, 0),
                             sequence_piece("B", 1), special_piece(sep, 1)});
  out["special_tokens"] = Json::object();
  const auto add = [&](const std::string& token, int32_t id) {
    Json entry = Json::object();
    entry["id"] = token;
    entry["ids"] = Json::array({id});
    entry["tokens"] = Json::array({token});
    out["special_tokens"][token] = std::move(entry);
  };
  add(cls, cls_id);
  add(sep, sep_id);
  return out;
}

}  // namespace

BertOptions bert_options_of(const JsonView& config) {
  BertOptions options;
  if (config.has("do_lower_case")) options.do_lower_case = config.at("do_lower_case").boolean();
  if (config.has("strip_accents")) options.strip_accents = config.at("strip_accents").boolean();
  if (config.has("tokenize_chinese_chars")) {
    options.tokenize_chinese_chars = config.at("tokenize_chinese_chars").boolean();
  }
  for (const TokenName& name : kNames) {
    if (!config.has(name.key)) continue;
    const JsonView token = config.at(name.key);
    options.*name.member = token.is_object() ? token.at("content").string() : token.string();
  }
  return options;
}

void complete_bert_config(const BertOptions& options, Json& config) {
  const auto set = [&](const char* key, Json value) {
    if (!config.contains(key)) config[key] = std::move(value);
  };
  set("do_lower_case", options.do_lower_case);
  set("strip_accents", options.strip_accents ? Json(*options.strip_accents) : Json(nullptr));
  set("tokenize_chinese_chars", options.tokenize_chinese_chars);
  for (const TokenName& name : kNames) set(name.key, options.*name.member);
  if (options.model_max_length) set("model_max_length", *options.model_max_length);
}

Json make_bert_document(const std::vector<std::string>& vocabulary, const BertOptions& options,
                        const std::string& place) {
  // If a token is listed twice, the last line counts: ids[i] is the id of the i-th distinct token.
  TextIndex first_lines;
  first_lines.reserve(vocabulary.size());
  const auto line = texts_in(vocabulary);
  std::vector<size_t> firsts(vocabulary.size()), ids(vocabulary.size());
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    firsts[i] = first_lines.insert(vocabulary[i], i, line).number;
    ids[firsts[i]] = i;
  }
  const auto id_of = [&](const std::string& token) {
    const auto found = first_lines.find(token, line);
    if (!found) {
      throw Error(
          ErrorCode::kBadModel, place,
          fmt::format("the vocabulary lacks the special token \"{}\"", quote_for_message(token)));
    }
    return static_cast<int32_t>(ids[*found]);
  };
  id_of(options.unk_token);

  Json normalizer = Json::object();
  normalizer["type"] = "BertNormalizer";
  normalizer["clean_text"] = true;
  normalizer["handle_chinese_chars"] = options.tokenize_chinese_chars;
  normalizer["strip_accents"] =
      options.strip_accents ? Json(*options.strip_accents) : Json(nullptr);
  normalizer["lowercase"] = options.do_lower_case;

  Json model = Json::object();
  model["type"] = "WordPiece";
  model["unk_token"] = options.unk_token;
  model["continuing_subword_prefix"] = "##";
  model["max_input_chars_per_word"] = 100;
  Json vocab = Json::object();
  vocab.as_object().reserve(first_lines.size());
  for (size_t i = 0; i < vocabulary.size(); ++i) {
    if (ids[firsts[i]] == i) append_member(vocab, vocabulary[i], i);
  }
  model["vocab"] = std::move(vocab);

  Json document = Json::object();
  document["version"] = "1.0";
  document["truncation"] = nullptr;
  document["padding"] = nullptr;
  document["added_tokens"] = Json::array();
  document["normalizer"] = std::move(normalizer);
  document["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  document["post_processor"] =
      post_processor(options, id_of(options.cls_token), id_of(options.sep_token));
  document["decoder"] = {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  document["model"] = std::move(model);
  return document;
}

}  // namespace spanforge
