// RoBERTa's tokenizers, made of a vocab.json and a merges.txt: many checkpoints have no
// tokenizer.json. Source: transformers 4.57, tokenization_roberta_fast.py and RobertaConverter.

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/text/tokenizer_kind.h"

namespace spanforge {
namespace {

struct NamedToken {
  const char* name;
  const char* usual;
};
constexpr NamedToken kSpecialTokens[] = {
    {"bos_token", "<s>"},   {"eos_token", "</s>"}, {"unk_token", "<unk>"},  {"sep_token", "</s>"},
    {"pad_token", "<pad>"}, {"cls_token", "<s>"},  {"mask_token", "<mask>"}};

// The mask replaces a word and the space before it.
Json flags_of(const std::string& content, bool is_mask) {
  return {{"content", content},
          {"single_word", false},
          {"lstrip", is_mask},
          {"rstrip", false},
          {"normalized", !is_mask}};
}

std::string content_of(const JsonView& config, const char* name) {
  const JsonView token = config.at(name);
  return token.is_object() ? token.at("content").string() : token.string();
}

// A special token of the vocabulary and its id: ["</s>", 2].
Json token_and_id(const Json& vocab, const std::string& token, const std::string& place) {
  const Json* const id = vocab.find(token);
  if (id == nullptr) {
    throw Error(ErrorCode::kBadModel, place,
                fmt::format("lacks the special token \"{}\"", quote_for_message(token)));
  }
  return Json(Json::Array{Json(token), *id});
}

class RobertaKind final : public TokenizerKind {
 public:
  const TokenizerFiles& files() const override {
    static constexpr TokenizerFiles kFiles{{kVocabJsonFile, kMergesTxtFile}};
    return kFiles;
  }

  void complete(Json& config, bool) const override {
    for (const auto& [name, usual] : kSpecialTokens) {
      if (!config.contains(name)) config[name] = usual;
      Json& token = config[name];
      const bool is_mask = std::string_view(name) == "mask_token";
      if (token.is_string()) token = flags_of(token.as_string(), is_mask);
    }
  }

  ConfigOverrides overrides(const JsonView& config) const override {
    ConfigOverrides over;
    over.add_prefix_space = prefix_space_of(config);
    over.trims_as_if_prefixed = over.add_prefix_space;
    over.trim_offsets = config.boolean_or("trim_offsets", true);
    return over;
  }

  Document make_document(const FileTexts& texts, const JsonView& config, const JsonView&,
                         const std::filesystem::path& directory) const override {
    const std::string place = (directory / kVocabJsonFile).string();
    Json vocab = parse_json(texts.at(kVocabJsonFile), place, ErrorCode::kBadModel);
    if (!vocab.is_object()) JsonView(vocab, place).refuse("an object of tokens and ids");
    const bool prefix = prefix_space_of(config);
    const auto byte_level = [](bool add_prefix_space) {
      return Json{{"type", "ByteLevel"},
                  {"add_prefix_space", add_prefix_space},
                  {"trim_offsets", true},
                  {"use_regex", true}};
    };
    Json document = Json::object();
    document["version"] = "1.0";
    document["truncation"] = nullptr;
    document["padding"] = nullptr;
    document["added_tokens"] = Json::array();
    document["normalizer"] = nullptr;
    document["pre_tokenizer"] = byte_level(prefix);
    Json& post = document["post_processor"] = Json::object();
    post["type"] = "RobertaProcessing";
    post["sep"] = token_and_id(vocab, content_of(config, "sep_token"), place);
    post["cls"] = token_and_id(vocab, content_of(config, "cls_token"), place);
    post["trim_offsets"] = config.boolean_or("trim_offsets", true);
    post["add_prefix_space"] = prefix;
    document["decoder"] = byte_level(true);
    Json& model = document["model"] = Json::object();
    model["type"] = "BPE";
    model["dropout"] = nullptr;
    model["unk_token"] = nullptr;
    model["continuing_subword_prefix"] = "";
    model["end_of_word_suffix"] = "";
    model["fuse_unk"] = false;
    model["byte_fallback"] = false;
    model["ignore_merges"] = false;
    model["vocab"] = std::move(vocab);
    Json::Array merges;
    for (auto& [left, right] :
         read_merges_txt(texts.at(kMergesTxtFile), (directory / kMergesTxtFile).string())) {
      merges.push_back(Json(Json::Array{Json(std::move(left)), Json(std::move(right))}));
    }
    model["merges"] = Json(std::move(merges));
    return {std::move(document), std::nullopt};
  }
};

}  // namespace

const TokenizerKind& roberta_kind() {
  static const RobertaKind kKind;
  return kKind;
}

}  // namespace spanforge
