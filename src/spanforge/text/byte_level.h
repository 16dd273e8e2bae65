#pragma once
// What: ByteLevel of tokenizer.json. GPT-2 gives every byte a character, so that a model over
//   characters has no unknown ones. It is a pre-tokeniser (splits by Gpt2Pattern, then rewrites
//   each byte as a character), a decoder (back to bytes) and a post-processor (offsets without
//   spaces).
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

// The character for a byte: itself if it is printable in Latin-1, else U+0100 or above.
char32_t byte_level_char(unsigned char byte);
inline constexpr char32_t kByteLevelSpace = U'\u0120';  // of the byte 0x20
// The byte of a character; -1: none.
int32_t byte_level_byte(char32_t c);

struct ByteLevelOptions {
  bool add_prefix_space = false;  // puts a space before a stretch that does not begin with one
  bool use_regex = true;          // false: does not split
};

class ByteLevelPreTokenizer final : public PreTokenizer {
 public:
  explicit ByteLevelPreTokenizer(const ByteLevelOptions& options) : options_(options) {}
  void apply(PreTokenizedText& text, PreTokenizedText& scratch) const override;
  const ByteLevelOptions& options() const { return options_; }

 private:
  ByteLevelOptions options_;
};

// Invalid UTF-8 becomes U+FFFD, one for each longest piece that could begin a character.
class ByteLevelDecoder final : public Decoder {
 public:
  void decode(std::vector<std::string>& tokens) const override;
};

// Removes spaces at the ends of tokens from their offsets, which may become empty.
class OffsetTrimmer {
 public:
  // prefixed: keeps one space at the beginning of a text or window, which add_prefix_space put
  // there.
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
  // trimmer: null: offsets do not change.
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
// From a post-processor's trim_offsets and add_prefix_space; null: offsets do not change.
std::unique_ptr<const OffsetTrimmer> build_offset_trimmer(const JsonView&, const PartContext&);

}  // namespace spanforge
