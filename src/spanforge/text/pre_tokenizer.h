#pragma once
// Pre-tokenisers of tokenizer.json: cut pieces of a normalised text into words.
// Source: tokenizers 0.22, pre_tokenizers/{bert,whitespace,sequence}.rs.
// Threads: const methods are concurrent.

#include <memory>
#include <vector>

#include "spanforge/text/normalized_text.h"

namespace spanforge {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Appends the words of one piece, none of them empty, in order.
  virtual void split(const NormalizedText& text, CharRange piece,
                     std::vector<CharRange>& words) const = 0;
};

// Splits at white space, which is dropped, and isolates each punctuation character.
class BertPreTokenizer final : public PreTokenizer {
 public:
  void split(const NormalizedText& text, CharRange piece,
             std::vector<CharRange>& words) const override;
};

// The runs of \w+ and of [^\w\s]+.
class WhitespacePreTokenizer final : public PreTokenizer {
 public:
  void split(const NormalizedText& text, CharRange piece,
             std::vector<CharRange>& words) const override;
};

class WhitespaceSplitPreTokenizer final : public PreTokenizer {
 public:
  void split(const NormalizedText& text, CharRange piece,
             std::vector<CharRange>& words) const override;
};

class SequencePreTokenizer final : public PreTokenizer {
 public:
  explicit SequencePreTokenizer(std::vector<std::unique_ptr<const PreTokenizer>> steps)
      : steps_(std::move(steps)) {}
  void split(const NormalizedText& text, CharRange piece,
             std::vector<CharRange>& words) const override;

 private:
  std::vector<std::unique_ptr<const PreTokenizer>> steps_;
};

}  // namespace spanforge
