#pragma once
// A span that a decoder considers, with its score. Decoders return them best first.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "spanforge/base/spelling.h"
#include "spanforge/base/utf8.h"

namespace spanforge {

struct Candidate {
  std::string text;  // "" means: no answer
  double score = 0;  // the decoder's own scale, higher is better; docs/decoding.md
  CharSpan span;     // code points of the context; {0,0} for no answer
  float start_logit = 0;
  float end_logit = 0;
  int32_t window = -1;      // its window's index in the FeatureSet; -1 for the null candidate
  int32_t start_token = 0;  // tokens of that window, both inclusive
  int32_t end_token = 0;
};

enum class DecoderKind { kSpanforge, kPipeline, kRunQa, kRecipe };
constexpr auto spellings(DecoderKind) {
  return std::to_array<Spelling<DecoderKind>>({{"spanforge", DecoderKind::kSpanforge},
                                               {"pipeline", DecoderKind::kPipeline},
                                               {"run_qa", DecoderKind::kRunQa},
                                               {"recipe", DecoderKind::kRecipe}});
}

}  // namespace spanforge
