#pragma once
// The names of the files in a model directory: one table for the hub's download and cache, the
// tokenizer's reader, checkpoints and saving. A kind of tokenizer with other files is a row here.

#include <algorithm>
#include <array>
#include <string>

namespace spanforge {

inline constexpr const char* kModelConfigFile = "config.json";

// The weights: one of these, or its ".index.json" and the shards that it names. The first that
// exists counts.
inline constexpr std::array<const char*, 2> kWeightFiles = {"model.safetensors",
                                                            "pytorch_model.bin"};

// Each row is a whole tokenizer. The first row whose files all exist counts.
inline constexpr const char* kTokenizerJsonFile = "tokenizer.json";
inline constexpr const char* kVocabTxtFile = "vocab.txt";
inline constexpr const char* kVocabJsonFile = "vocab.json";
inline constexpr const char* kMergesTxtFile = "merges.txt";
struct TokenizerFiles {
  std::array<const char*, 2> names{};  // the second may be null
  template <class HasFile>
  bool are_there(const HasFile& has_file) const {
    return std::all_of(names.begin(), names.end(), [&](const char* name) {
      return name == nullptr || has_file(std::string(name));
    });
  }
};
inline constexpr std::array<TokenizerFiles, 3> kTokenizerFiles = {
    {{{kTokenizerJsonFile}}, {{kVocabTxtFile}}, {{kVocabJsonFile, kMergesTxtFile}}}};

// Optional settings of the tokenizer.
inline constexpr const char* kTokenizerConfigFile = "tokenizer_config.json";
inline constexpr const char* kSpecialTokensMapFile = "special_tokens_map.json";
inline constexpr const char* kAddedTokensFile = "added_tokens.json";
inline constexpr std::array<const char*, 3> kTokenizerSettings = {
    kTokenizerConfigFile, kSpecialTokensMapFile, kAddedTokensFile};

// Spanforge's own settings.
inline constexpr const char* kAnswerSettingsFile = "spanforge.json";

// has_file: std::string -> bool.
template <class HasFile>
bool has_tokenizer(const HasFile& has_file) {
  return std::any_of(kTokenizerFiles.begin(), kTokenizerFiles.end(),
                     [&](const TokenizerFiles& row) { return row.are_there(has_file); });
}

// Calls visit(name) for every file of a tokenizer, needed or optional.
template <class Visit>
void for_each_tokenizer_file(const Visit& visit) {
  for (const TokenizerFiles& row : kTokenizerFiles) {
    for (const char* name : row.names) {
      if (name != nullptr) visit(name);
    }
  }
  for (const char* name : kTokenizerSettings) visit(name);
}

// "tokenizer.json, vocab.txt, or vocab.json with merges.txt".
std::string describe_tokenizer_files();
// "model.safetensors or pytorch_model.bin".
std::string describe_weight_files();

}  // namespace spanforge
