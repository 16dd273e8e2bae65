// Writes the files of a tokenizer so that transformers 4.57 loads the same one. Files that were
// read are written back unchanged, except that a tokenizer_config.json without a class gets its
// missing keys. Missing files are made from the parts.

#include <algorithm>
#include <initializer_list>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/io/file.h"
#include "spanforge/io/model_files.h"
#include "spanforge/text/bert_document.h"
#include "spanforge/text/bpe.h"
#include "spanforge/text/byte_level.h"
#include "spanforge/text/tokenizer_impl.h"
#include "spanforge/text/tokenizer_kind.h"
#include "spanforge/text/unicode.h"

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
// Only tokens that are special in texts: transformers makes every named token special.
std::vector<NamedId> named_ids(const Impl& impl) {
  const SpecialTokens& s = impl.special;
  std::vector<NamedId> named;
  for (const NamedId& entry :
       {NamedId{"bos_token", s.bos}, NamedId{"eos_token", s.eos}, NamedId{"unk_token", s.unk},
        NamedId{"sep_token", s.sep}, NamedId{"pad_token", s.pad}, NamedId{"cls_token", s.cls},
        NamedId{"mask_token", s.mask}}) {
    const AddedToken* token = impl.added.find_id(entry.id);
    if (token != nullptr && token->special) named.push_back(entry);
  }
  return named;
}

// null: the normaliser is not BERT's.
const BertNormalizer* bert_normalizer(const Impl& impl) {
  return dynamic_cast<const BertNormalizer*>(impl.normalizer.get());
}

Tokenizer::BertOptions bert_options(const Impl& impl) {
  const BertNormalizerOptions& normalizer = bert_normalizer(impl)->options();
  Tokenizer::BertOptions options;
  options.do_lower_case = normalizer.lowercase;
  if (normalizer.strip_accents != options.do_lower_case) {
    options.strip_accents = normalizer.strip_accents;
  }
  options.tokenize_chinese_chars = normalizer.handle_chinese_chars;
  options.unk_token = content_of(impl, impl.special.unk);
  options.sep_token = content_of(impl, impl.special.sep);
  options.pad_token = content_of(impl, impl.special.pad);
  options.cls_token = content_of(impl, impl.special.cls);
  options.mask_token = content_of(impl, impl.special.mask);
  return options;
}

bool has_all(const Impl& impl, std::initializer_list<const char*> names) {
  const std::vector<NamedId> named = named_ids(impl);
  return std::all_of(names.begin(), names.end(), [&](std::string_view name) {
    return std::any_of(named.begin(), named.end(),
                       [&](const NamedId& one) { return one.name == name; });
  });
}
// Whether all special tokens of the kind's class exist. The class would give missing ones new ids.
bool is_complete_bert(const Impl& impl) {
  return bert_normalizer(impl) != nullptr &&
         has_all(impl, {"unk_token", "sep_token", "pad_token", "cls_token", "mask_token"});
}
bool is_complete_roberta(const Impl& impl) {
  return impl.kind == &roberta_kind() &&
         has_all(impl, {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                        "cls_token", "mask_token"});
}

Json make_config_json(const Impl& impl) {
  Json config = Json::object();
  if (const auto* byte_level =
          dynamic_cast<const ByteLevelPreTokenizer*>(impl.pre_tokenizer.get())) {
    config["add_prefix_space"] = byte_level->options().add_prefix_space;
  }
  config["added_tokens_decoder"] = Json::object();
  for (const AddedToken* token : impl.added.by_id()) {
    config["added_tokens_decoder"][std::to_string(token->id)] = flags_of(*token);
  }
  config["clean_up_tokenization_spaces"] = impl.cleans_up;
  for (const auto& [name, id] : named_ids(impl)) config[name] = content_of(impl, id);
  if (impl.model_max_length) config["model_max_length"] = *impl.model_max_length;
  const auto class_or = [&](const char* usual) {
    return impl.class_name.empty() ? std::string(usual) : impl.class_name;
  };
  if (is_complete_bert(impl)) {
    complete_bert_config(bert_options(impl), config);
    config["tokenizer_class"] = class_or("BertTokenizer");
  } else if (is_complete_roberta(impl)) {
    config["trim_offsets"] = impl.post_processor->moves_offsets();
    config["tokenizer_class"] = class_or("RobertaTokenizer");
  } else {
    if (!impl.single.makes_types) {
      config["model_input_names"] = Json::array({"input_ids", "attention_mask"});
    }
    config["tokenizer_class"] = "PreTrainedTokenizerFast";
  }
  return config;
}

// BERT's vocab.txt, from a vocabulary that may not come from a file.
Json make_bert_json(const Impl& impl, const std::string& place) {
  const Vocabulary& vocabulary = impl.model->vocabulary();
  std::vector<std::string> lines;
  for (int32_t id = 0; id < vocabulary.id_limit(); ++id) lines.emplace_back(vocabulary.token(id));
  Json document = make_bert_document(lines, bert_options(impl), place);
  // Ids without a token (of a repeated line) were written as "" above.
  Json& vocab = document["model"]["vocab"];
  if (const auto blank = vocabulary.find("")) {
    vocab[""] = *blank;
  } else {
    vocab.erase("");
  }
  return document;
}

// Only a tokenizer that was made of a kind's files has no tokenizer.json.
std::string make_tokenizer_json(const Impl& impl, const std::filesystem::path& directory) {
  Json document;
  if (impl.kind == &bert_kind()) {
    document = make_bert_json(impl, (directory / kTokenizerJsonFile).string());
  } else {
    Json config = make_config_json(impl);
    impl.kind->complete(config, /*has_tokenizer_json=*/false);
    const JsonView view(config, (directory / kTokenizerConfigFile).string());
    document = impl.kind->make_document(impl.files, view, view, directory).json;
  }
  for (const AddedToken* token : impl.added.by_id()) {
    Json entry = Json::object();
    entry["id"] = token->id;
    entry.update(flags_of(*token));
    document["added_tokens"].push_back(std::move(entry));
  }
  return dump(document);
}

// read: the file as it was; "" if there was none.
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
  for (const auto& [name, id] : named_ids(impl)) {
    const AddedToken& token = *impl.added.find_id(id);
    if (!token.single_word && !token.lstrip && !token.rstrip) {
      map[name] = token.content;
      continue;
    }
    map[name] = flags_of(token);
    map[name].erase("special");
  }
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

std::string make_vocab_json(const Vocabulary& vocabulary) {
  Json json = Json::object();
  for (int32_t id = 0; id < vocabulary.id_limit(); ++id) {
    if (vocabulary.has_id(id)) append_member(json, std::string(vocabulary.token(id)), id);
  }
  return json.dump();
}

// nullopt: a token contains white space, which this file cannot express.
std::optional<std::string> make_merges_txt(const Bpe& model) {
  const auto has_space = [](const std::string& token) {
    const std::u32string chars = decode_utf8(token);
    return std::any_of(chars.begin(), chars.end(), [](char32_t c) {
      return c < 0x20 || unicode::has(c, unicode::kWhitespace);
    });
  };
  std::string text = "#version: 0.2\n";
  for (const auto& [left, right] : model.merges()) {
    if (has_space(left) || has_space(right)) return std::nullopt;
    text.append(left).append(" ").append(right).append("\n");
  }
  return text;
}

}  // namespace

void Tokenizer::save(DirectoryWriter& writer) const {
  std::map<std::string, std::string> files = impl_->files;
  const auto make = [&](const char* name, auto&& content) {
    if (!files.count(name)) files[name] = content();
  };
  make(kTokenizerJsonFile, [&] { return make_tokenizer_json(*impl_, writer.directory()); });
  const std::string config_place = (writer.directory() / kTokenizerConfigFile).string();
  std::string& config = files[kTokenizerConfigFile];
  config = complete_config_json(*impl_, config, config_place);
  make(kSpecialTokensMapFile, [&] { return make_special_map_json(*impl_); });
  const auto* bpe = dynamic_cast<const Bpe*>(impl_->model.get());
  if (bpe == nullptr) {
    make(kVocabTxtFile, [&] { return make_vocab_txt(*impl_); });
  } else if (impl_->kind == &roberta_kind() && !files.count(kVocabJsonFile) &&
             !files.count(kMergesTxtFile)) {
    if (auto merges = make_merges_txt(*bpe)) {
      files[kVocabJsonFile] = make_vocab_json(bpe->vocabulary());
      files[kMergesTxtFile] = std::move(*merges);
    }
  }
  for (const auto& [name, content] : files) writer.write(name, content);
}

}  // namespace spanforge
