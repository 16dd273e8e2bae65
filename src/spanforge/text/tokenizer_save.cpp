// The files of a tokenizer, so that transformers 4.57 loads the same one. Files that were read are
// written back as they were, but that a tokenizer_config.json without a class gets the keys it
// lacks; missing files are made from the parts.

#include <fmt/core.h>


#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/text/bert_document.h"
#include "spanforge/text/tokenizer_impl.h"

namespace spanforge {
namespace {

using Impl = Tokenizer::Impl;

std::string dump(const Json& json) {
  PythonJsonStyle style;
  style.indent = 2;
  style.ensure_ascii = false;
  return dump_python_json(json, style) + "\n";
}

Json flags_of(const AddedToken& token) {
  Json json = Json::object();
  json["content"] = token.content;
  json["single_word"] = token.single_word;
  json["lstrip"] = token.lstrip;
  json["rstrip"] = token.rstrip;
  json["normalized"] = token.normalized;
  json["special"] = token.special;
  return json;
}

std::string content_of(const Impl& impl, int32_t id) {
  const AddedToken* added = impl.added.find_id(id);
  return added != nullptr ? added->content : std::string(impl.model->vocabulary().token(id));
}

struct NamedId {
  const char* name;
  int32_t id;
};
// Only those found in texts as special tokens: transformers makes one of every token named.
std::vector<NamedId> named_ids(const Impl& impl) {
  const SpecialTokens& s = impl.special;
  std::vector<NamedId> named;
  for (const NamedId& entry :
       {NamedId{"unk_token", s.unk}, NamedId{"sep_token", s.sep}, NamedId{"pad_token", s.pad},
        NamedId{"cls_token", s.cls}, NamedId{"mask_token", s.mask}}) {
    const AddedToken* token = impl.added.find_id(entry.id);
    if (token != nullptr && token->special) named.push_back(entry);
  }
  return named;
}

Tokenizer::BertOptions bert_options(const Impl& impl) {
  Tokenizer::BertOptions options;
  options.do_lower_case = impl.bert_normalizer->lowercase;
  if (impl.bert_normalizer->strip_accents != options.do_lower_case) {
    options.strip_accents = impl.bert_normalizer->strip_accents;
  }
  options.tokenize_chinese_chars = impl.bert_normalizer->handle_chinese_chars;
  options.unk_token = content_of(impl, impl.special.unk);
  options.sep_token = content_of(impl, impl.special.sep);
  options.pad_token = content_of(impl, impl.special.pad);
  options.cls_token = content_of(impl, impl.special.cls);
  options.mask_token = content_of(impl, impl.special.mask);
  return options;
}

std::string make_tokenizer_json(const Impl& impl, const std::string& place) {
  // Only a tokenizer that came from a vocabulary lacks this file: it is BERT's.
  const Vocabulary& vocabulary = impl.model->vocabulary();
  std::vector<std::string> lines;
  for (int32_t id = 0; id < vocabulary.id_limit(); ++id) lines.emplace_back(vocabulary.token(id));
  Json document = make_bert_document(lines, bert_options(impl), place);
  // Ids without a token (of a line that stood there twice) were written as "" above.
  Json& vocab = document["model"]["vocab"];
  if (const auto blank = vocabulary.find("")) {
    vocab[""] = *blank;
  } else {
    vocab.erase("");
  }
  for (const AddedToken* token : impl.added.by_id()) {
    Json entry = Json::object();
    entry["id"] = token->id;
    entry.update(flags_of(*token));
    document["added_tokens"].push_back(std::move(entry));
  }
  return dump(document);
}

Json make_config_json(const Impl& impl) {
  Json config = Json::object();
  config["added_tokens_decoder"] = Json::object();
  for (const AddedToken* token : impl.added.by_id()) {
    config["added_tokens_decoder"][std::to_string(token->id)] = flags_of(*token);
  }
  config["clean_up_tokenization_spaces"] = impl.cleans_up;
  const std::vector<NamedId> named = named_ids(impl);
  for (const auto& [name, id] : named) config[name] = content_of(impl, id);
  const bool complete = impl.bert_normalizer.has_value() && named.size() == 5;
  if (impl.model_max_length) config["model_max_length"] = *impl.model_max_length;
  if (complete) complete_bert_config(bert_options(impl), config);
  // BertTokenizerFast would give names to special tokens that are not there, and new ids to those.
  const std::string berts = impl.class_name.empty() ? "BertTokenizer" : impl.class_name;
  config["tokenizer_class"] = complete ? berts : "PreTrainedTokenizerFast";
  return config;
}

// read: the file as it was; "" when there was none.
std::string complete_config_json(const Impl& impl, const std::string& read,
                                 const std::string& place) {
  if (read.empty()) return dump(make_config_json(impl));
  Json config = parse_json(read, place, ErrorCode::kBadModel);
  if (config.contains("tokenizer_class")) return read;
  const Json made = make_config_json(impl);
  for (const auto& [key, value] : made.items()) {
    if (!config.contains(key)) config[key] = value;
  }
  return dump(config);
}

std::string make_special_map_json(const Impl& impl) {
  Json map = Json::object();
  for (const auto& [name, id] : named_ids(impl)) map[name] = content_of(impl, id);
  return dump(map);
}

std::string make_vocab_txt(const Impl& impl) {
  const Vocabulary& vocabulary = impl.model->vocabulary();
  std::string text;
  for (int32_t id = 0; id < vocabulary.id_limit(); ++id) {
    if (!vocabulary.has_id(id)) continue;
    text.append(vocabulary.token(id)).append("\n");
  }
  return text;
}

}  // namespace

void Tokenizer::save(const std::filesystem::path& directory) const {
  std::map<std::string, std::string> files = impl_->files;
  const auto make = [&](const char* name, auto&& content) {
    if (!files.count(name)) files[name] = content();
  };
  make("tokenizer.json",
       [&] { return make_tokenizer_json(*impl_, (directory / "tokenizer.json").string()); });
  const std::string config_place = (directory / "tokenizer_config.json").string();
  std::string& config = files["tokenizer_config.json"];
  config = complete_config_json(*impl_, config, config_place);
  make("special_tokens_map.json", [&] { return make_special_map_json(*impl_); });
  make("vocab.txt", [&] { return make_vocab_txt(*impl_); });
  spanforge::create_directories(directory);
  for (const auto& [name, content] : files) write_file_atomic(directory / name, content);
}

}  // namespace spanforge
