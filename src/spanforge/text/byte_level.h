#pragma once
// ByteLevel of tokenizer.json: GPT-2's way to give every byte a character, so that a model over
// characters has no unknown ones. It is a pre-tokeniser (cuts with Gpt2Pattern, then rewrites each
// byte as a character), a decoder (the way back) and a post-processor (offsets without the spaces).
// Source: tokenizers 0.22, pre_tokenizers/byte_level.rs.
// Threads: const methods are concurrent.

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "spanforge/text/decoder.h"
#include "spanforge/text/post_processor.h"
#include "spanforge/text/pre_tokenizer.h"
#include "spanforge/text/vocabulary.h"

namespace spanforge {

// The character that stands for a byte: itself where it is printable in Latin-1, else U+0100 and
// on.
char32_t byte_level_char(unsigned char byte);
inline constexpr char32_t kByteLevelSpace = U'\u0120';  // of the byte 0x20
// The byte that a character stands for; -1: none.
int32_t byte_level_byte(char32_t c);

struct ByteLevelOptions {
  bool add_prefix_space = false;  // a space before a stretch that begins with none
  bool use_regex = true;          // false: what comes is not cut
};

class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  explicit ByteLevelPreTokenizer(const ByteLevelOptions& options) : options_(options) {}
  void apply(PreTokenizedText& text, PreTokenizedText& scratch) const override;
  const ByteLevelOptions& options() const { return options_; }

 private:
  ByteLevelOptions options_;
};

// Bytes that are no UTF-8 become U+FFFD, one for each longest piece that could have begun a
// character.
class ByteLevelDecoder final : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

// Takes spaces at the ends of tokens out of their offsets, which may leave them empty.
class OffsetTrimmer {
 public:
  // prefixed: one space at the beginning of a text or a window was put there by add_prefix_space,
  // and stays.
  OffsetTrimmer(const Vocabulary& vocabulary, bool prefixed);
  void trim(TokenBuffer& tokens, size_t first, std::span<const SpeltToken> added) const;
  bool prefixed() const { return prefixed_; }

 private:
  struct Spaces {
    uint16_t leading = 0, trailing = 0;
  };
  CharSpan trimmed(CharSpan span, int32_t leading, int32_t trailing, bool is_first) const;
  std::vector<Spaces> spaces_;  // [id], of the vocabulary's tokens
  bool prefixed_;
};

class ByteLevelPostProcessor final : public TextsAlone {
 public:
  // trimmer: null where offsets stay.
  explicit ByteLevelPostProcessor(std::unique_ptr<const OffsetTrimmer> trimmer)
      : trimmer_(std::move(trimmer)) {}
  void place(TokenBuffer& tokens, size_t first, std::span<const SpeltToken> added) const override {
    if (trimmer_ != nullptr) trimmer_->trim(tokens, first, added);
  }
  bool moves_offsets() const override { return trimmer_ != nullptr; }

 private:
  std::unique_ptr<const OffsetTrimmer> trimmer_;
};

// Each from its value in a tokenizer.json (tokenizer_parts.h).
std::unique_ptr<const PreTokenizer> build_byte_level_pre_tokenizer(const JsonView&,
                                                                   const PartContext&);
std::unique_ptr<const PostProcessor> build_byte_level_post_processor(const JsonView&,
                                                                     const PartContext&);
std::unique_ptr<const Decoder> build_byte_level_decoder(const JsonView&, const PartContext&);
// What a post-processor's trim_offsets and add_prefix_space say.
std::unique_ptr<const OffsetTrimmer> build_offset_trimmer(const JsonView&, const PartContext&);

}  // namespace spanforge
