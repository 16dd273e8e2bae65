#pragma once
// What: a kind of tokenizer classes. It knows the defaults of their arguments, the overrides of
//   tokenizer.json by the config, and the files that replace a missing tokenizer.json.
// Source: transformers 4.57, models/*/tokenization_*_fast.py and convert_slow_tokenizer.py.
// A new kind: a file with its object, rows of classes in tokenizer_class.cpp and, if its files have
//   new names, a row in io/model_files.h.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/io/model_files.h"
#include "spanforge/text/tokenizer_parts.h"

namespace spanforge {

// Files of a model directory, by name.
using FileTexts = std::map<std::string, std::string>;

class TokenizerKind {
 public:
  virtual ~TokenizerKind() = default;
  // The files that replace a missing tokenizer.json.
  virtual const TokenizerFiles& files() const = 0;
  // Adds the defaults of missing keys to a tokenizer_config.json.
  virtual void complete(Json& config, bool has_tokenizer_json) const = 0;
  virtual ConfigOverrides overrides(const JsonView& config) const = 0;

  struct Document {
    Json json;
    std::optional<std::string> note;  // one line for the user about the files
  };
  // The tokenizer.json that transformers makes of files(), without added tokens, which the config
  // names. config: completed by complete(). stated: the config before that. REQUIRES: all files()
  // are in `texts`. Errors: Error{kBadModel, file or its line}.
  virtual Document make_document(const FileTexts& texts, const JsonView& config,
                                 const JsonView& stated,
                                 const std::filesystem::path& directory) const = 0;
};

const TokenizerKind& bert_kind();     // bert_kind.cpp
const TokenizerKind& mpnet_kind();    // bert_kind.cpp
const TokenizerKind& roberta_kind();  // roberta_kind.cpp

// ByteLevel's add_prefix_space in every class of transformers; false if the config does not state
// it.
bool prefix_space_of(const JsonView& config);

// Throws Error{kBadModel, file or its line} if a vocabulary file gives other ids than the
// tokenizer.json in its directory: training and serving would disagree.
void check_vocabulary_files(const FileTexts& texts, const TokenModel& model,
                            const std::filesystem::path& directory);

// The lines of a vocab.txt. Errors: Error{kBadModel, its line} for invalid UTF-8.
std::vector<std::string> read_vocab_txt(std::string_view text, const std::string& place);
// The merges of a merges.txt, each once. As in Python's RobertaTokenizer, the first and the last
// piece between line ends do not count. Errors: Error{kBadModel, its line}.
std::vector<std::pair<std::string, std::string>> read_merges_txt(std::string_view text,
                                                                 const std::string& place);

}  // namespace spanforge
