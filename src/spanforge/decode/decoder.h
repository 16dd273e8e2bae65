#pragma once
// Four ways to turn start/end logits into answers (docs/decoding.md explains the differences):
//   spanforge  the default everywhere, so that training, evaluation and answering agree
//   pipeline   the question-answering pipeline of transformers 4.57, spans and scores
//   run_qa     postprocess_qa_predictions of the Transformers examples
//   recipe     joint log-probability over all tokens, top k, max_answer_ratio
// Threads: decode_example is const and concurrent. Cost: none of them forms an S x S matrix.

#include <string>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/decode/candidate.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/features/logits.h"

namespace spanforge {

struct DecoderOptions {
  DecoderKind kind = DecoderKind::kSpanforge;
  int32_t top_k = 1;               // candidates returned
  int32_t n_best_size = 20;        // run_qa: starts x ends considered, candidates kept
  int32_t max_answer_length = 30;  // tokens (spanforge, run_qa); the pipeline's default is 15
  bool null_answers = false;       // version_2_with_negative / handle_impossible_answer
  double null_threshold = 0.0;     // the answer is "" if null score - best non-null > threshold
  bool align_to_words = true;      // pipeline
  double max_answer_ratio = 0.4;   // recipe
  double temperature = 1.0;        // spanforge: calibrated confidence
};

// null_odds of an example without any span to answer with, such as an empty context.
inline constexpr double kNoSpanOdds = 1e4;

struct DecodedExample {
  std::vector<Candidate> candidates;  // best first, at most top_k (run_qa: n_best_size)
  Candidate prediction;               // the answer given; text "" for no answer
  double null_odds = 0;       // log odds of null over the best answer that is not ""; run_qa: its
                              // scores_diff; recipe, which has no null: 0
  std::string best_non_null;  // text of the best answer that is not ""
};

// Decodes one example from all its windows. `logits` must be those of `features`.
DecodedExample decode_example(const Dataset& dataset, const FeatureSet& features,
                              const LogitSet& logits, size_t example,
                              const DecoderOptions& options);

// Decodes all examples of `features`, in parallel.
std::vector<DecodedExample> decode_all(const Dataset& dataset, const FeatureSet& features,
                                       const LogitSet& logits, const DecoderOptions& options);
// Decodes the examples [first, end).
std::vector<DecodedExample> decode_range(const Dataset& dataset, const FeatureSet& features,
                                         const LogitSet& logits, size_t first, size_t end,
                                         const DecoderOptions& options);

}  // namespace spanforge
