#pragma once
// What: text -> token ids with offsets, and back; equal to Hugging Face `tokenizers` id for id and
//   offset for offset. Read from a model directory's tokenizer.json, or where there is none from
//   vocab.txt (BERT's) or vocab.json and merges.txt (RoBERTa's). Immutable once loaded.
// Units: UTF-8 in (valid; Error{kBadData} otherwise); offsets are code points of the original text,
//   half open.
// Threads: all const methods may be called concurrently.
// Errors: loading throws Error{kBadModel, file}; asking for what cannot be done (a truncation that
//   leaves no room) throws Error{kUsage}.
// Invariant: for every token that is not special, offsets lie in the text and neither starts nor
// ends
//   decrease; with a post-processor that takes spaces away they may be empty.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "spanforge/base/spelling.h"
#include "spanforge/base/utf8.h"

namespace spanforge {

class DirectoryWriter;  // io/directory_writer.h

// The tokens of one text, without special tokens, in flat arrays that are appended to: tokenising
// many texts into one buffer allocates nothing per token.
struct TokenBuffer {
  std::vector<int32_t> ids;
  std::vector<CharSpan> offsets;
  std::vector<int32_t> word_ids;  // index of the pre-tokenised word, from 0 in each text
  // Offsets of each token where a window begins with it; empty where they are always those above.
  std::vector<CharSpan> first_offsets;
  void clear() { ids.clear(), offsets.clear(), word_ids.clear(), first_offsets.clear(); }
  size_t size() const { return ids.size(); }
};

enum class TruncationStrategy { kLongestFirst, kOnlyFirst, kOnlySecond };
constexpr auto spellings(TruncationStrategy) {
  return std::to_array<Spelling<TruncationStrategy>>(
      {{"longest_first", TruncationStrategy::kLongestFirst},
       {"only_first", TruncationStrategy::kOnlyFirst},
       {"only_second", TruncationStrategy::kOnlySecond}});
}
enum class PaddingSide { kRight, kLeft };

struct Truncation {
  int32_t max_length = 512;  // tokens, special tokens included
  int32_t stride = 0;        // overlap of consecutive windows, tokens
  TruncationStrategy strategy = TruncationStrategy::kLongestFirst;
};

struct Padding {
  std::optional<int32_t> length;  // fixed length; nullopt: the longest of the batch
  int32_t multiple_of = 0;        // 0: none
  PaddingSide side = PaddingSide::kRight;
};

struct EncodeOptions {
  bool add_special_tokens = true;
  std::optional<Truncation> truncation;  // what a tokenizer.json stores is never applied by itself
  std::optional<Padding> padding;
};

// One encoded text or pair, in the parallel arrays of HF's Encoding.
struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  std::vector<std::string> tokens;
  std::vector<CharSpan> offsets;  // (0,0) for special and padding tokens
  std::vector<uint8_t> special_tokens_mask;
  std::vector<uint8_t> attention_mask;
  std::vector<int32_t> word_ids;      // -1 where there is none
  std::vector<int32_t> sequence_ids;  // 0 or 1; -1 for special and padding tokens
  std::vector<Encoding> overflowing;  // what truncation cut off, as further windows
};

// Where special tokens stand around one sequence or a pair (post_processor of tokenizer.json).
// A piece is a special token or the place of sequence 0 or 1.
struct TemplatePiece {
  int32_t sequence = -1;  // 0 or 1; -1: a special token
  int32_t token_id = 0;   // the special token's id
  int32_t type_id = 0;    // of the special token or of all tokens of the sequence
};

struct SpecialTokens {  // -1: the tokenizer has none
  int32_t bos = -1, eos = -1, unk = -1, sep = -1, pad = -1, cls = -1, mask = -1;
};

class Tokenizer {
 public:
  // From a model directory: tokenizer.json, else the files of its kind (io/model_files.h).
  static Tokenizer from_directory(const std::filesystem::path& directory);
  // The same of files in memory, by name, with config.json where there is one. directory: for
  // messages.
  static Tokenizer from_files(std::map<std::string, std::string> files,
                              const std::filesystem::path& directory);
  // BERT's tokenizer over a vocabulary (line number = id); fuzzing and the vocabulary trainer use
  // it.
  struct BertOptions {
    bool do_lower_case = true;
    std::optional<bool> strip_accents;  // nullopt: as do_lower_case
    bool tokenize_chinese_chars = true;
    std::string unk_token = "[UNK]", sep_token = "[SEP]", pad_token = "[PAD]", cls_token = "[CLS]",
                mask_token = "[MASK]";
    std::optional<int32_t> model_max_length;  // written by save()
  };
  // A token listed twice keeps its last id, as in HF. place names the vocabulary in messages.
  static Tokenizer from_vocabulary(const std::vector<std::string>& vocabulary,
                                   const BertOptions& options, const std::string& place);
  // The same over the lines of a vocab.txt, which save() writes back as it was.
  static Tokenizer from_vocabulary_file(const std::filesystem::path& file,
                                        const BertOptions& options);
  static Tokenizer from_vocabulary_text(std::string text, const BertOptions& options,
                                        const std::string& place);
  // tokenizer.json's text; config_text, tokenizer_config.json's, may be empty. What the config says
  // of case, accents, Chinese characters and special tokens wins, as in transformers' BERT
  // tokenizers.
  static Tokenizer from_json(std::string_view json_text, std::string_view config_text,
                             const std::string& place);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Appends the tokens of one text, no special tokens added (added tokens spelt out in the text are
  // recognised, as HF does). The hot path.
  void tokenize(std::string_view text, TokenBuffer& out) const;
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode_pair(std::string_view first, std::string_view second,
                       const EncodeOptions& options = {}) const;
  // Encodes texts in parallel; padding to the longest is over the batch.
  std::vector<Encoding> encode_batch(const std::vector<std::string>& texts,
                                     const EncodeOptions& options = {}) const;
  std::vector<Encoding> encode_pair_batch(
      const std::vector<std::pair<std::string, std::string>>& pairs,
      const EncodeOptions& options = {}) const;
  // HF's decode with skip_special_tokens; clean_up is HF's clean_up_tokenization_spaces. nullopt:
  // what tokenizer_config.json says; where it says nothing, not with a tokenizer.json.
  std::string decode(const std::vector<int32_t>& ids, bool skip_special_tokens = true,
                     std::optional<bool> clean_up = std::nullopt) const;
  // Each token decoded by itself, special ones too, and joined with nothing between: how the recipe
  // shows inputs and labels. A word's later pieces keep WordPiece's "##"; of a byte-level character
  // of several tokens each shows U+FFFD.
  std::string decode_each(std::span<const int32_t> ids) const;

  const std::vector<TemplatePiece>& pair_template() const;
  int32_t special_token_count(bool pair) const;
  const SpecialTokens& special_tokens() const;

  size_t vocabulary_size() const;  // highest id + 1, added tokens included
  std::optional<int32_t> token_to_id(std::string_view token) const;
  std::string_view id_to_token(int32_t id) const;  // "" when there is no such id
  // tokenizer_config.json's model_max_length, when it says a usable one.
  std::optional<int32_t> model_max_length() const;

  // One line about the files that its user should know: a vocabulary with capitals whose files do
  // not state do_lower_case. nullopt: nothing.
  const std::optional<std::string>& note() const;

  // Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and the kind's own files
  // (vocab.txt; vocab.json and merges.txt) so that transformers loads the same tokenizer. Files
  // read from a directory are kept as they were where they say everything; what is missing is made.
  void save(DirectoryWriter& writer) const;

  struct Impl;  // tokenizer_impl.h, for this layer alone
  explicit Tokenizer(std::unique_ptr<const Impl> impl);

 private:
  std::unique_ptr<const Impl> impl_;
};

}  // namespace spanforge
