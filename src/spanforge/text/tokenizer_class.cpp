#include "spanforge/text/tokenizer_class.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

struct KnownClass {
  std::string_view name;           // "Fast" may follow
  const TokenizerKind& (*kind)();  // null: it reads tokenizer.json only
  bool makes_token_types = true;
};

// Their code in transformers 4.57 equals that of a kind except for names, or derives from it.
// Not here, although they have a vocab.txt: BertJapanese (morphemes), Funnel (other special
// tokens), Splinter (a question token), Herbert, RoCBert and RoFormer (other words).
constexpr KnownClass kClasses[] = {
    {"BertTokenizer", bert_kind},
    {"ConvBertTokenizer", bert_kind},
    {"DPRContextEncoderTokenizer", bert_kind},
    {"DPRQuestionEncoderTokenizer", bert_kind},
    {"DistilBertTokenizer", bert_kind, /*makes_token_types=*/false},
    {"ElectraTokenizer", bert_kind},
    {"LayoutLMTokenizer", bert_kind},
    {"LxmertTokenizer", bert_kind},
    {"MobileBertTokenizer", bert_kind},
    {"RealmTokenizer", bert_kind},
    {"RetriBertTokenizer", bert_kind, /*makes_token_types=*/false},
    {"SqueezeBertTokenizer", bert_kind},
    {"MPNetTokenizer", mpnet_kind, /*makes_token_types=*/false},
    {"LongformerTokenizer", roberta_kind, /*makes_token_types=*/false},
    {"RobertaTokenizer", roberta_kind, /*makes_token_types=*/false},
    // The base class of transformers 4, and that of 5, which makes no token types.
    {"PreTrainedTokenizerFast", nullptr},
    {"TokenizersBackend", nullptr, /*makes_token_types=*/false},
};

// The class that transformers 4.57 uses for a model_type if no file names one
// (models/auto/tokenization_auto.py). For another model_type the files decide.
constexpr std::pair<std::string_view, const char*> kUsualClasses[] = {
    {"albert", "AlbertTokenizer"},
    {"bert", "BertTokenizer"},
    {"camembert", "CamembertTokenizer"},
    {"convbert", "ConvBertTokenizer"},
    {"deberta", "DebertaTokenizer"},
    {"deberta-v2", "DebertaV2Tokenizer"},
    {"distilbert", "DistilBertTokenizer"},
    {"electra", "ElectraTokenizer"},
    {"ernie", "BertTokenizer"},
    {"longformer", "LongformerTokenizer"},
    {"mobilebert", "MobileBertTokenizer"},
    {"modernbert", "PreTrainedTokenizerFast"},
    {"mpnet", "MPNetTokenizer"},
    {"roberta", "RobertaTokenizer"},
    {"xlm-roberta", "XLMRobertaTokenizer"},
};

// Options of BertJapaneseTokenizer, each with the only value that gives BERT's tokens.
constexpr std::pair<const char*, const char*> kSplitters[] = {
    {"word_tokenizer_type", "basic"}, {"subword_tokenizer_type", "wordpiece"}};

std::string quoted(const JsonView& json) {
  return json.is_string() ? quote_for_message(json.string())
                          : quote_for_message(json.value().dump());
}

[[noreturn]] void refuse(const JsonView& file, const std::string& what) {
  file.fail(
      what +
      ": only BERT's and RoBERTa's tokenizers are supported, and they would give other tokens "
      "than the model knows; choose a model with one of them");
}

void refuse_own_code(const JsonView& file) {
  if (!file.has("auto_map")) return;
  const JsonView map = file.at("auto_map");
  if (map.is_object() && !map.has("AutoTokenizer")) return;  // code of a model or a config
  const JsonView code = map.is_object() ? map.at("AutoTokenizer") : map;
  refuse(file,
         fmt::format("\"auto_map\" asks for a tokenizer with its own code, {}", quoted(code)));
}

void refuse_other_splitters(const JsonView& file) {
  for (const auto& [key, berts] : kSplitters) {
    if (!file.has(key)) continue;
    const JsonView value = file.at(key);
    if (value.is_string() && value.string() == berts) continue;
    refuse(file, fmt::format("\"{}\" is {}", key, quoted(value)));
  }
}

bool gives_token_types(const JsonView& tokenizer_config, bool otherwise) {
  if (!tokenizer_config.has("model_input_names")) return otherwise;
  for (const JsonView& name : tokenizer_config.at("model_input_names").items()) {
    if (name.string() == "token_type_ids") return true;
  }
  return false;
}

std::string_view without_fast(std::string_view name) {
  if (name.ends_with("Fast")) name.remove_suffix(4);
  return name;
}

const KnownClass* find_class(std::string_view name) {
  const auto* const found =
      std::find_if(std::begin(kClasses), std::end(kClasses), [&](const KnownClass& known) {
        // The base classes have no second form.
        return known.name == (known.kind != nullptr ? without_fast(name) : name);
      });
  return found == std::end(kClasses) ? nullptr : found;
}

// "": it is not known.
std::string usual_class_of(const JsonView& model_config) {
  if (!model_config.has("model_type") || !model_config.at("model_type").is_string()) return "";
  const std::string type = model_config.at("model_type").string();
  for (const auto& [model_type, usual] : kUsualClasses) {
    if (type == model_type) return usual;
  }
  return "";
}

bool are_there(const TokenizerFiles& files, const FileTexts& texts) {
  return files.are_there([&](const std::string& name) { return texts.count(name) > 0; });
}

std::string join_names(const TokenizerFiles& files) {
  std::string out = files.names[0];
  return files.names[1] == nullptr ? out : out + " and " + files.names[1];
}

void take_class(const JsonView& file, const std::string& stated, bool has_tokenizer_json,
                TokenizerClass& found) {
  const KnownClass* const known = find_class(found.name);
  if (known == nullptr) refuse(file, stated);
  found.is_file_alone = known->kind == nullptr;
  if (!found.is_file_alone) found.kind = &known->kind();
  found.makes_token_types = known->makes_token_types;
  if (found.is_file_alone && !has_tokenizer_json) {
    file.fail(fmt::format(
        "{}, which reads tokenizer.json, but that file is missing; add it or, if vocab.txt "
        "is BERT's, name BertTokenizer in tokenizer_config.json",
        stated));
  }
}

}  // namespace

TokenizerClass find_tokenizer_class(const JsonView& tokenizer_config, const JsonView& model_config,
                                    bool has_tokenizer_json) {
  constexpr const char* kKey = "tokenizer_class";
  const JsonView& file = tokenizer_config.has(kKey) ? tokenizer_config : model_config;
  TokenizerClass found;
  if (file.has(kKey)) {
    found.name = file.at(kKey).string();
    take_class(file, fmt::format("\"{}\" is {}", kKey, quote_for_message(found.name)),
               has_tokenizer_json, found);
  } else if (found.name = usual_class_of(model_config); !found.name.empty()) {
    found.by_model_type = true;
    take_class(model_config,
               fmt::format("\"model_type\" is {}, whose tokenizer is {} without another \"{}\"",
                           model_config.at("model_type").string(), found.name, kKey),
               has_tokenizer_json, found);
  }
  refuse_own_code(tokenizer_config);
  if (!tokenizer_config.has(kKey)) refuse_own_code(model_config);  // else transformers ignores it
  refuse_other_splitters(tokenizer_config);
  found.makes_token_types = gives_token_types(tokenizer_config, found.makes_token_types);
  return found;
}

void choose_kind_by_files(const FileTexts& texts, TokenizerClass& asked) {
  if (!asked.name.empty()) return;
  asked.kind = &bert_kind();
  if (are_there(bert_kind().files(), texts)) return;
  // With a tokenizer.json both files are needed; without one vocab.json is enough, and
  // require_files() reports missing merges.
  const bool robertas = texts.count(kTokenizerJsonFile) ? are_there(roberta_kind().files(), texts)
                                                        : texts.count(kVocabJsonFile) > 0;
  if (!robertas) return;
  asked.kind = &roberta_kind();
  asked.name = "RobertaTokenizer";
  asked.makes_token_types = false;
}

void require_files(const TokenizerClass& asked, const FileTexts& texts,
                   const std::filesystem::path& directory) {
  const TokenizerFiles& files = asked.kind->files();
  if (are_there(files, texts)) return;
  std::string others;
  for (const TokenizerFiles& row : kTokenizerFiles) {
    if (are_there(row, texts)) others = join_names(row);
  }
  std::string reason = fmt::format("{} reads tokenizer.json or {}", asked.name, join_names(files));
  if (others.empty()) {
    for (const char* name : files.names) {
      if (name != nullptr && !texts.count(name)) reason += fmt::format(", but {} is missing", name);
    }
  } else {
    reason += fmt::format(", but only {} {} there", others,
                          others.find(' ') == std::string::npos ? "is" : "are");
    if (asked.by_model_type) {
      reason +=
          "; if that is the model's tokenizer, name its \"tokenizer_class\" in "
          "tokenizer_config.json";
    }
  }
  throw Error(ErrorCode::kBadModel, directory.string(), reason);
}

}  // namespace spanforge
