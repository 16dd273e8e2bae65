#pragma once
// What: an evaluation's answers as run_qa writes them: PREFIX_predictions.json {id: text},
//   PREFIX_nbest_predictions.json {id: [{start_logit, end_logit, text, probability}]},
//   PREFIX_null_odds.json {id: number}; and PREFIX_qa_topk.json {id: [{text, score, start, end,
//   start_logit, end_logit}]}, the recipe's n-best (where it was computed). Bytes as
//   json.dumps(value, indent=4) + "\n". Questions whose example was dropped are left out.

#include <filesystem>
#include <string>

#include "spanforge/evaluation/evaluate.h"

namespace spanforge {

// Makes the directory. Errors: Error{kIo}.
void write_prediction_files(const Dataset& dataset, const FeatureSet& features,
                            const Evaluation& evaluation, const std::filesystem::path& directory,
                            const std::string& prefix = "eval");

}  // namespace spanforge
