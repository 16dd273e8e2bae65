#pragma once
// From tokens back to text (tokenizer.json's "decoder"). A decoder turns a list of texts into
// another one, so that several can follow each other; the last list joined is the text.

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

// Tokens with the prefix are joined to what stands before them, others by a space; cleanup removes
// the spaces English does not write, within each token. Source: tokenizers 0.22,
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

// What HF does without a decoder.
class SpaceDecoder final : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

// From its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const Decoder> build_word_piece_decoder(const JsonView& json, const PartContext&);

// transformers' clean_up_tokenization, over a whole decoded text.
std::string clean_up_tokenization(std::string text);

}  // namespace spanforge
