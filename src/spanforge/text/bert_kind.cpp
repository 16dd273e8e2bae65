// BERT's tokenizers, made of a vocab.txt, and MPNet's, whose special tokens are RoBERTa's.

#include <algorithm>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/text/bert_document.h"
#include "spanforge/text/tokenizer_kind.h"

namespace spanforge {
namespace {

// transformers lower-cases if no file states do_lower_case. The original files of cased models do
// not state it, so all tokens with capitals would be lost.
std::optional<std::string> describe_lost_capitals(const std::vector<std::string>& lines,
                                                  const JsonView& config,
                                                  const std::string& place) {
  constexpr size_t kPercent = 1;  // an uncased vocabulary may have a few capitals, added by hand
  if (config.has("do_lower_case")) return std::nullopt;
  const auto has_capital = [](const std::string& token) {
    return !token.starts_with('[') &&
           std::any_of(token.begin(), token.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  };
  const auto count = static_cast<size_t>(std::count_if(lines.begin(), lines.end(), has_capital));
  if (count == 0 || count * 100 < lines.size() * kPercent) return std::nullopt;
  return fmt::format(
      "{}: {} of {} tokens have capital letters, but no tokenizer_config.json states "
      "do_lower_case: texts are lower-cased, as in transformers; write "
      "{{\"do_lower_case\": false}} to that file to keep capitals",
      place, count, lines.size());
}

class BertKind : public TokenizerKind {
 public:
  const TokenizerFiles& files() const override {
    static constexpr TokenizerFiles kFiles{{kVocabTxtFile}};
    return kFiles;
  }

  void complete(Json& config, bool has_tokenizer_json) const override {
    // Case and special tokens of a tokenizer.json stay if the config does not state them.
    if (has_tokenizer_json) return;
    complete_bert_config(bert_options_of({config, kTokenizerConfigFile}), config);
    constexpr const char* kCleanUp = "clean_up_tokenization_spaces";
    if (!config.contains(kCleanUp)) config[kCleanUp] = true;
  }

  ConfigOverrides overrides(const JsonView& config) const override {
    ConfigOverrides over;
    over.add_prefix_space = prefix_space_of(config);
    if (config.has("do_lower_case")) over.lowercase = config.at("do_lower_case").boolean();
    if (config.has("tokenize_chinese_chars")) {
      over.handle_chinese_chars = config.at("tokenize_chinese_chars").boolean();
    }
    if (config.value().contains("strip_accents")) {
      over.strip_accents.emplace();
      if (config.has("strip_accents")) *over.strip_accents = config.at("strip_accents").boolean();
    }
    return over;
  }

  Document make_document(const FileTexts& texts, const JsonView& config, const JsonView& stated,
                         const std::filesystem::path& directory) const override {
    const std::string place = (directory / kVocabTxtFile).string();
    const std::vector<std::string> lines = read_vocab_txt(texts.at(kVocabTxtFile), place);
    return {make_bert_document(lines, bert_options_of(config), place),
            describe_lost_capitals(lines, stated, place)};
  }
};

// transformers 4.57, tokenization_mpnet_fast.py and MPNetConverter.
class MpnetKind final : public BertKind {
 public:
  void complete(Json& config, bool has_tokenizer_json) const override {
    constexpr std::pair<const char*, const char*> kSpecialTokens[] = {
        {"bos_token", "<s>"},    {"eos_token", "</s>"},  {"sep_token", "</s>"},
        {"cls_token", "<s>"},    {"pad_token", "<pad>"}, {"unk_token", "[UNK]"},
        {"mask_token", "<mask>"}};
    for (const auto& [name, usual] : kSpecialTokens) {
      if (!config.contains(name)) config[name] = usual;
    }
    // The mask replaces a word and the space before it.
    if (Json& mask = config["mask_token"]; mask.is_string()) {
      mask = {{"content", mask}, {"lstrip", true}};
    }
    BertKind::complete(config, has_tokenizer_json);
  }

  ConfigOverrides overrides(const JsonView& config) const override {
    ConfigOverrides over = BertKind::overrides(config);
    over.handle_chinese_chars = std::nullopt;  // keeps the file's
    return over;
  }

  Document make_document(const FileTexts& texts, const JsonView& config, const JsonView& stated,
                         const std::filesystem::path& directory) const override {
    Document document = BertKind::make_document(texts, config, stated, directory);
    // [CLS] A [SEP] [SEP] B [SEP]
    Json::Array& pair = document.json["post_processor"]["pair"].as_array();
    pair.insert(pair.begin() + 2, pair.at(2));
    return document;
  }
};

}  // namespace

const TokenizerKind& bert_kind() {
  static const BertKind kKind;
  return kKind;
}

const TokenizerKind& mpnet_kind() {
  static const MpnetKind kKind;
  return kKind;
}

}  // namespace spanforge
