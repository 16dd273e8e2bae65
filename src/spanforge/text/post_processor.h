#pragma once
// The post-processors of tokenizer.json: they put special tokens around one text or a pair, and may
// change the offsets of a text's tokens. Source: tokenizers 0.22, processors/*.rs.
// Threads: const methods are concurrent.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "spanforge/text/tokenizer.h"

namespace spanforge {

class JsonView;
struct PartContext;

// The places of special tokens, each with its text in Encoding::tokens.
struct Template {
  std::vector<TemplatePiece> pieces;
  std::vector<std::string> texts;  // parallel to pieces; "" for a sequence
  bool makes_types = true;         // false: every type is 0, in the pieces, too
  // As in HF, a text in an overflowing window has its sequence's number (0 or 1) as type id, not
  // the template's. true: it has the template's if special tokens are added.
  bool types_overflow = false;

  int32_t special_token_count() const;
  void add_sequence(int32_t sequence, int32_t type_id);
  void add_special(const std::pair<int32_t, std::string>& token, int32_t type_id);
};

// An added token in a text, with the white space that its flags include.
struct SpeltToken {
  size_t index = 0;                   // into a TokenBuffer
  int32_t leading = 0, trailing = 0;  // white space characters at its ends
};

class PostProcessor {
 public:
  PostProcessor(Template single, Template pair)
      : single_(std::move(single)), pair_(std::move(pair)) {}
  virtual ~PostProcessor() = default;

  // Changes the offsets of one text's tokens, those from `first` on. A window has the offsets of
  // the whole text, but those of its first token may differ: TokenBuffer::first_offsets.
  virtual void place(TokenBuffer& tokens, size_t first, std::span<const SpeltToken> added) const {}
  // Whether place() changes anything.
  virtual bool moves_offsets() const { return false; }

  const Template& single() const { return single_; }
  const Template& pair() const { return pair_; }

 private:
  Template single_, pair_;
};

// Adds no special tokens, like a tokenizer without a post-processor.
class TextsAlone : public PostProcessor {
 public:
  TextsAlone();
};

// Several steps: those that change offsets, then at most one that adds special tokens.
class SequencePostProcessor final : public PostProcessor {
 public:
  // Errors: Error{kBadModel, place} for steps in another order; in HF, they would also count
  // special tokens.
  static std::unique_ptr<const PostProcessor> make(
      std::vector<std::unique_ptr<const PostProcessor>> steps, const JsonView& place);
  void place(TokenBuffer& tokens, size_t first, std::span<const SpeltToken> added) const override;
  bool moves_offsets() const override;

 private:
  SequencePostProcessor(std::vector<std::unique_ptr<const PostProcessor>> steps,
                        const PostProcessor& texts);
  std::vector<std::unique_ptr<const PostProcessor>> steps_;
};

// Each from its value in a tokenizer.json (tokenizer_parts.h). Ids must be in the vocabulary or the
// added tokens.
std::unique_ptr<const PostProcessor> build_template_processing(const JsonView&, const PartContext&);
std::unique_ptr<const PostProcessor> build_bert_processing(const JsonView&, const PartContext&);

// BertProcessing's and RobertaProcessing's "sep": ["[SEP]", 102].
std::pair<int32_t, std::string> named_token(const JsonView& json, const PartContext& context);

}  // namespace spanforge
