#include "spanforge/text/tokenizer_class.h"

#include <algorithm>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

struct KnownClass {
  std::string_view name;  // "Fast" may follow
  bool makes_token_types = true;
};

// Their sources in transformers 4.57 are BERT's but for names, or derive from BERT's. Not here, though
// they have a vocab.txt: BertJapanese (morphemes), Funnel and MPNet (other special tokens), Splinter
// (a question token), Herbert, RoCBert and RoFormer (other words).
constexpr KnownClass kBertsClasses[] = {
    {"BertTokenizer"},
    {"ConvBertTokenizer"},
    {"DPRContextEncoderTokenizer"},
    {"DPRQuestionEncoderTokenizer"},
    {"DistilBertTokenizer", /*makes_token_types=*/false},
    {"ElectraTokenizer"},
    {"LayoutLMTokenizer"},
    {"LxmertTokenizer"},
    {"MobileBertTokenizer"},
    {"RealmTokenizer"},
    {"RetriBertTokenizer", /*makes_token_types=*/false},
    {"SqueezeBertTokenizer"},
};

// The base class of transformers 4 and that of 5, which gives a model no token types.
constexpr KnownClass kFileAlone[] = {{"PreTrainedTokenizerFast"},
                                     {"TokenizersBackend", /*makes_token_types=*/false}};

// What BertJapaneseTokenizer is told, and the one value of each that means BERT's tokens.
constexpr std::pair<const char*, const char*> kSplitters[] = {
    {"word_tokenizer_type", "basic"}, {"subword_tokenizer_type", "wordpiece"}};

std::string quoted(const JsonView& json) {
  return json.is_string() ? quote_for_message(json.string()) : quote_for_message(json.value().dump());
}

[[noreturn]] void refuse(const JsonView& file, const std::string& what) {
  file.fail(what + ": only BERT's tokenizer is read, and it would cut texts into other tokens than the "
            "model knows; choose a model with BERT's");
}

void refuse_own_code(const JsonView& file) {
  if (!file.has("auto_map")) return;
  const JsonView map = file.at("auto_map");
  if (map.is_object() && !map.has("AutoTokenizer")) return;  // a model's code, or a config's
  const JsonView code = map.is_object() ? map.at("AutoTokenizer") : map;
  refuse(file, fmt::format("\"auto_map\" asks for a tokenizer with code of its own, {}", quoted(code)));
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
  const std::vector<JsonView> names = tokenizer_config.at("model_input_names").items();
  return std::any_of(names.begin(), names.end(),
                     [](const JsonView& name) { return name.string() == "token_type_ids"; });
}

std::string_view without_fast(std::string_view name) {
  if (name.ends_with("Fast")) name.remove_suffix(4);
  return name;
}

const KnownClass* find_class(std::span<const KnownClass> classes, std::string_view name) {
  const auto found = std::find_if(classes.begin(), classes.end(),
                                  [&](const KnownClass& known) { return known.name == name; });
  return found == classes.end() ? nullptr : &*found;
}

}  // namespace

TokenizerClass find_tokenizer_class(const JsonView& tokenizer_config, const JsonView& model_config,
                                    bool has_tokenizer_json) {
  constexpr const char* kKey = "tokenizer_class";
  const JsonView& file = tokenizer_config.has(kKey) ? tokenizer_config : model_config;
  TokenizerClass found;
  if (file.has(kKey)) {
    found.name = file.at(kKey).string();
    const KnownClass* known = find_class(kFileAlone, found.name);
    found.is_file_alone = known != nullptr;
    if (known == nullptr) known = find_class(kBertsClasses, without_fast(found.name));
    if (known == nullptr) {
      refuse(file, fmt::format("\"{}\" is {}", kKey, quote_for_message(found.name)));
    }
    found.makes_token_types = known->makes_token_types;
    if (found.is_file_alone && !has_tokenizer_json) {
      file.fail(fmt::format("\"{}\" is {}, which reads tokenizer.json, and that is not there: add it, "
                            "or, if vocab.txt is BERT's, name BertTokenizer",
                            kKey, found.name));
    }
  }
  refuse_own_code(tokenizer_config);
  if (!tokenizer_config.has(kKey)) refuse_own_code(model_config);  // else it is not asked
  refuse_other_splitters(tokenizer_config);
  found.makes_token_types = gives_token_types(tokenizer_config, found.makes_token_types);
  return found;
}

}  // namespace spanforge
