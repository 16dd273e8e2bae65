#pragma once
// What: turns text into token ids with offsets, and back. Ids and offsets equal those of Hugging
//   Face's `tokenizers`. Reads tokenizer.json of a model directory or, without one, vocab.txt
//   (BERT's) or vocab.json and merges.txt (RoBERTa's). Immutable once loaded.
// Units: texts are valid UTF-8 (else Error{kBadData}). Offsets are code points of the original
//   text, half open.
// Threads: const methods are concurrent.
// Errors: loading throws Error{kBadModel, file}. An impossible request (a truncation that leaves no
//   room) throws Error{kUsage}.
// Invariant: for tokens that are not special, offsets are in the text, and neither starts nor ends
//   decrease. They may be empty if a post-processor removes spaces.

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

// The tokens of texts, without special tokens, in flat arrays. Tokenizing many texts into one
// buffer allocates nothing per token.
struct TokenBuffer {
  std::vector<int32_t> ids;
  std::vector<CharSpan> offsets;
  std::vector<int32_t> word_ids;  // index of the pre-tokenised word, from 0 in each text
  // Offsets of each token for a window that begins with it; empty if they equal `offsets`.
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
  std::optional<Truncation> truncation;  // that of a tokenizer.json is never applied
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
  std::vector<int32_t> word_ids;      // -1 for special and padding tokens
  std::vector<int32_t> sequence_ids;  // 0 or 1; -1 for special and padding tokens
  std::vector<Encoding> overflowing;  // the truncated text as further windows
};

// A piece of the template for one sequence or a pair (post_processor of tokenizer.json): a special
// token, or the place of sequence 0 or 1.
struct TemplatePiece {
  int32_t sequence = -1;  // 0 or 1; -1: a special token
  int32_t token_id = 0;   // the special token's id
  int32_t type_id = 0;    // of the special token or of all tokens of the sequence
};

struct SpecialTokens {  // ids; -1: the tokenizer has none
  int32_t bos = -1, eos = -1, unk = -1, sep = -1, pad = -1, cls = -1, mask = -1;
};

class Tokenizer {
 public:
  // From a model directory: tokenizer.json, else the files of its kind (io/model_files.h).
  static Tokenizer from_directory(const std::filesystem::path& directory);
  // The same for files in memory, by name, with config.json if there is one. directory: for
  // messages.
  static Tokenizer from_files(std::map<std::string, std::string> files,
                              const std::filesystem::path& directory);
  // BERT's tokenizer over a vocabulary: vocabulary[i] has id i.
  struct BertOptions {
    bool do_lower_case = true;
    std::optional<bool> strip_accents;  // nullopt: the value of do_lower_case
    bool tokenize_chinese_chars = true;
    std::string unk_token = "[UNK]", sep_token = "[SEP]", pad_token = "[PAD]", cls_token = "[CLS]",
                mask_token = "[MASK]";
    std::optional<int32_t> model_max_length;  // written by save()
  };
  // A token listed twice has its last id, as in HF. place: names the vocabulary in messages.
  static Tokenizer from_vocabulary(const std::vector<std::string>& vocabulary,
                                   const BertOptions& options, const std::string& place);
  // The same for the lines of a vocab.txt, which save() writes back unchanged.
  static Tokenizer from_vocabulary_file(const std::filesystem::path& file,
                                        const BertOptions& options);
  static Tokenizer from_vocabulary_text(std::string text, const BertOptions& options,
                                        const std::string& place);
  // json_text: of tokenizer.json. config_text: of tokenizer_config.json; may be empty. As in
  // transformers' BERT tokenizers, the config overrides case, accents, Chinese characters and
  // special tokens.
  static Tokenizer from_json(std::string_view json_text, std::string_view config_text,
                             const std::string& place);

  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  // Appends the tokens of one text and adds no special tokens. Recognises added tokens spelt out in
  // the text, as HF does. The hot path.
  void tokenize(std::string_view text, TokenBuffer& out) const;
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode_pair(std::string_view first, std::string_view second,
                       const EncodeOptions& options = {}) const;
  // Encodes texts in parallel. Padding to the longest means the longest of the batch.
  std::vector<Encoding> encode_batch(const std::vector<std::string>& texts,
                                     const EncodeOptions& options = {}) const;
  std::vector<Encoding> encode_pair_batch(
      const std::vector<std::pair<std::string, std::string>>& pairs,
      const EncodeOptions& options = {}) const;
  // HF's decode(). clean_up: HF's clean_up_tokenization_spaces; nullopt: tokenizer_config.json's
  // value or, without one, true unless there is a tokenizer.json.
  std::string decode(const std::vector<int32_t>& ids, bool skip_special_tokens = true,
                     std::optional<bool> clean_up = std::nullopt) const;
  // Decodes each token by itself, special ones, too, and joins them without spaces, as the recipe
  // prints inputs and labels. Later pieces of a word keep WordPiece's "##". A byte-level character
  // of several tokens gives one U+FFFD for each.
  std::string decode_each(std::span<const int32_t> ids) const;

  const std::vector<TemplatePiece>& pair_template() const;
  int32_t special_token_count(bool pair) const;
  const SpecialTokens& special_tokens() const;

  size_t vocabulary_size() const;  // highest id + 1, including added tokens
  std::optional<int32_t> token_to_id(std::string_view token) const;
  std::string_view id_to_token(int32_t id) const;  // "": there is no such id
  // tokenizer_config.json's model_max_length, if it is usable.
  std::optional<int32_t> model_max_length() const;

  // One line for the user about the files: they do not state do_lower_case, but the vocabulary has
  // capitals. nullopt: there is nothing to say.
  const std::optional<std::string>& note() const;

  // Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and the kind's own files
  // (vocab.txt; vocab.json and merges.txt) so that transformers loads the same tokenizer. Keeps
  // complete files that were read from a directory unchanged, and makes missing ones.
  void save(DirectoryWriter& writer) const;

  struct Impl;  // tokenizer_impl.h, for this layer only
  explicit Tokenizer(std::unique_ptr<const Impl> impl);

 private:
  std::unique_ptr<const Impl> impl_;
};

}  // namespace spanforge
