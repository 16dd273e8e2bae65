#pragma once
// What the tokenizer classes of one kind do besides reading a tokenizer.json: the defaults of their
// arguments, what those set over the file, and the files they are made of where there is no
// tokenizer.json (transformers 4.57, models/*/tokenization_*_fast.py and
// convert_slow_tokenizer.py). A new kind is a file with its object and rows of classes in
// tokenizer_class.cpp; files of other names are a row in io/model_files.h, too.

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
  // Those that serve where there is no tokenizer.json.
  virtual const TokenizerFiles& files() const = 0;
  // Puts the defaults of what a tokenizer_config.json does not say into it.
  virtual void complete(Json& config, bool has_tokenizer_json) const = 0;
  virtual ConfigOverrides overrides(const JsonView& config) const = 0;

  struct Document {
    Json json;
    std::optional<std::string> note;  // one line about the files that their user should know
  };
  // The tokenizer.json that transformers makes of files(), all of them there, without the added
  // tokens: the config, which is complete, names them. stated: the config before it was completed.
  // Errors: Error{kBadModel, file or its line}.
  virtual Document make_document(const FileTexts& texts, const JsonView& config,
                                 const JsonView& stated,
                                 const std::filesystem::path& directory) const = 0;
};

const TokenizerKind& bert_kind();     // bert_kind.cpp
const TokenizerKind& mpnet_kind();    // bert_kind.cpp
const TokenizerKind& roberta_kind();  // roberta_kind.cpp

// ByteLevel's add_prefix_space in every class of transformers: false where the config does not say
// it.
bool prefix_space_of(const JsonView& config);

// Errors: Error{kBadModel, file or its line} where a file of another form of the vocabulary says
// other ids than the model of the tokenizer.json beside it: training and serving would disagree.
void check_vocabulary_files(const FileTexts& texts, const TokenModel& model,
                            const std::filesystem::path& directory);

// The lines of a vocab.txt. Errors: Error{kBadModel, its line} for what is no UTF-8 text.
std::vector<std::string> read_vocab_txt(std::string_view text, const std::string& place);
// The merges of a merges.txt, each once, as Python's RobertaTokenizer reads them: the first and the
// last element between line ends do not count. Errors: Error{kBadModel, its line}.
std::vector<std::pair<std::string, std::string>> read_merges_txt(std::string_view text,
                                                                 const std::string& place);

}  // namespace spanforge
