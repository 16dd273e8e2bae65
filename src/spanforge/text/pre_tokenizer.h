#pragma once
// Pre-tokenisers of tokenizer.json: they split a stretch of normalised text into words. Some
// rewrite its characters (byte_level.h), which keep their ranges of the original text.
// Source: tokenizers 0.22, pre_tokenizers/{bert,whitespace,sequence}.rs.
// Threads: const methods are concurrent.

#include <memory>
#include <vector>

#include "spanforge/text/normalized_text.h"

namespace spanforge {

class JsonView;
struct PartContext;

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Splits each word into smaller ones that are not empty, in order. `scratch` is working space.
  virtual void apply(PreTokenizedText& text, PreTokenizedText& scratch) const = 0;
};

// A pre-tokeniser that does not change characters.
class Splitter : public PreTokenizer {
 public:
  void apply(PreTokenizedText& text, PreTokenizedText& scratch) const final;
  // Appends the words of one piece.
  virtual void split(const NormalizedText& text, CharRange piece,
                     std::vector<CharRange>& words) const = 0;
};

// Splits at white space, which it drops, and isolates each punctuation character.
class BertPreTokenizer final : public Splitter {
 public:
  void split(const NormalizedText& text, CharRange piece,
             std::vector<CharRange>& words) const override;
};

// Makes words of the runs of \w+ and of [^\w\s]+.
class WhitespacePreTokenizer final : public Splitter {
 public:
  void split(const NormalizedText& text, CharRange piece,
             std::vector<CharRange>& words) const override;
};

class WhitespaceSplitPreTokenizer final : public Splitter {
 public:
  void split(const NormalizedText& text, CharRange piece,
             std::vector<CharRange>& words) const override;
};

class SequencePreTokenizer final : public PreTokenizer {
 public:
  explicit SequencePreTokenizer(std::vector<std::unique_ptr<const PreTokenizer>> steps)
      : steps_(std::move(steps)) {}
  void apply(PreTokenizedText& text, PreTokenizedText& scratch) const override;

 private:
  std::vector<std::unique_ptr<const PreTokenizer>> steps_;
};

// Each from its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const PreTokenizer> build_bert_pre_tokenizer(const JsonView&, const PartContext&);
std::unique_ptr<const PreTokenizer> build_whitespace_pre_tokenizer(const JsonView&,
                                                                   const PartContext&);
std::unique_ptr<const PreTokenizer> build_whitespace_split_pre_tokenizer(const JsonView&,
                                                                         const PartContext&);

}  // namespace spanforge
