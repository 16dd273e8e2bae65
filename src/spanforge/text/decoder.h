#pragma once
// Turns tokens back into text (tokenizer.json's "decoder"). A decoder replaces a list of texts by
// another, so decoders can follow each other; the joined last list is the text.

#include <memory>
#include <string>
#include <vector>

namespace spanforge {

class JsonView;
struct PartContext;

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual void decode(std::vector<std::string>& tokens) const = 0;
};

// Joins tokens with the prefix to the text before them, and other tokens with a space. cleanup:
// removes, within each token, spaces that English does not write. Source: tokenizers 0.22,
// decoders/wordpiece.rs.
class WordPieceDecoder final : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void decode(std::vector<std::string>& tokens) const override;

 private:
  std::string prefix_;
  bool cleanup_;
};

// Joins tokens with spaces, as HF does without a decoder.
class SpaceDecoder final : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

// From its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const Decoder> build_word_piece_decoder(const JsonView& json, const PartContext&);

// transformers' clean_up_tokenization, over a whole decoded text.
std::string clean_up_tokenization(std::string text);

}  // namespace spanforge
