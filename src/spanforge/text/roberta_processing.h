#pragma once
// RobertaProcessing of tokenizer.json: <s> A </s>, or for a pair <s> A </s></s> B </s>. Every type
// is 0. Offsets do not include the spaces at the ends of byte-level tokens. Source: tokenizers
// 0.22, processors/roberta.rs. Threads: const methods are concurrent.

#include <memory>
#include <string>
#include <utility>

#include "spanforge/text/byte_level.h"
#include "spanforge/text/post_processor.h"

namespace spanforge {

class RobertaProcessing final : public PostProcessor {
 public:
  using Token = std::pair<int32_t, std::string>;  // id, text
  // trimmer: null: offsets do not change.
  RobertaProcessing(const Token& cls, const Token& sep,
                    std::unique_ptr<const OffsetTrimmer> trimmer);
  void place(TokenBuffer& tokens, size_t first, std::span<const SpeltToken> added) const override {
    if (trimmer_ != nullptr) trimmer_->trim(tokens, first, added);
  }
  bool moves_offsets() const override { return trimmer_ != nullptr; }

 private:
  std::unique_ptr<const OffsetTrimmer> trimmer_;
};

std::unique_ptr<const PostProcessor> build_roberta_processing(const JsonView&, const PartContext&);

}  // namespace spanforge
