#pragma once
// The four decoders, on the views of one example; decoder.h chooses one. docs/decoding.md explains
// them.

#include "spanforge/decode/decoder.h"
#include "spanforge/decode/example_view.h"

namespace spanforge {

// Source: transformers' examples, utils_qa.py (postprocess_qa_predictions), but over real tokens
// only: in the script, padding competes for the n_best_size starts and ends. Candidate::score is
// its "probability". If logits are equal, the later token counts as better, as in a stable argsort
// read backwards.
DecodedExample decode_run_qa(const ExampleView& example, const DecoderOptions& options);

// Source: transformers 4.57, QuestionAnsweringPipeline. Skips candidates of probability 0, because
// the original does not define their order.
DecodedExample decode_pipeline(const ExampleView& example, const DecoderOptions& options);

// log_softmax of start and end over all tokens of a window; score exp(logP_s + logP_e) of every
// s <= e < s + int(L * max_answer_ratio), L the window's tokens; the best of all windows win. There
// is no null answer.
DecodedExample decode_recipe(const ExampleView& example, const DecoderOptions& options);

DecodedExample decode_spanforge(const ExampleView& example, const DecoderOptions& options);

}  // namespace spanforge
