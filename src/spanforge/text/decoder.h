#pragma once
// From tokens back to text (tokenizer.json's "decoder").

#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual std::string decode(const std::vector<std::string_view>& tokens) const = 0;
};

// Tokens with the prefix are joined to what stands before them, others by a space; cleanup removes
// the spaces English does not write, within each token. Source: tokenizers 0.22,
// decoders/wordpiece.rs.
class WordPieceDecoder final : public Decoder {
 public:
  WordPieceDecoder(std::string prefix, bool cleanup)
      : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  std::string decode(const std::vector<std::string_view>& tokens) const override;

 private:
  std::string prefix_;
  bool cleanup_;
};

// What HF does without a decoder.
class SpaceDecoder final : public Decoder {
 public:
  std::string decode(const std::vector<std::string_view>& tokens) const override;
};

// transformers' clean_up_tokenization, over a whole decoded text.
std::string clean_up_tokenization(std::string text);

}  // namespace spanforge
