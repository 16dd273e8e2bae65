#pragma once
// The four decoders on one example's views; decoder.h chooses. How each works: docs/decoding.md.

#include "spanforge/decode/decoder.h"
#include "spanforge/decode/example_view.h"

namespace spanforge {

// Source: transformers' examples, utils_qa.py (postprocess_qa_predictions), over real tokens only:
// the script lets padding compete for the n_best_size starts and ends. Candidate::score is its
// "probability". Equal logits: the token that stands later counts as better, as a stable argsort
// read backwards gives.
DecodedExample decode_run_qa(const ExampleView& example, const DecoderOptions& options);

// Source: transformers 4.57, QuestionAnsweringPipeline. Candidates of probability 0, whose order
// the original leaves open, are left out.
DecodedExample decode_pipeline(const ExampleView& example, const DecoderOptions& options);

// log_softmax of start and end over all tokens of a window; score exp(logP_s + logP_e) of every
// s <= e < s + int(L * max_answer_ratio), L the window's tokens; windows compete. No null answer.
DecodedExample decode_recipe(const ExampleView& example, const DecoderOptions& options);

DecodedExample decode_spanforge(const ExampleView& example, const DecoderOptions& options);

}  // namespace spanforge
