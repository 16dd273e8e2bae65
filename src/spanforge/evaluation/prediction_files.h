#pragma once
// What: an evaluation's answers as run_qa writes them: PREFIX_predictions.json {id: text},
//   PREFIX_nbest_predictions.json {id: [{start_logit, end_logit, text, probability}]},
//   PREFIX_null_odds.json {id: number}; and PREFIX_qa_topk.json {id: [{text, score, start, end,
//   start_logit, end_logit}]}, the recipe's n-best (where it was computed). Bytes as
//   json.dumps(value, indent=4) + "\n". Questions whose example was dropped are left out.
// The files are written question by question under other names, and all appear with commit().

#include <filesystem>
#include <optional>
#include <string>

#include "spanforge/base/json_object_file.h"
#include "spanforge/evaluation/evaluate.h"

namespace spanforge {

class PredictionFiles {
 public:
  // Makes the directory. Without commit() nothing is left, not even a directory that was made here
  // (but for what a kill leaves). Errors, here and below: Error{kIo}.
  explicit PredictionFiles(std::filesystem::path directory, std::string prefix = "eval");
  PredictionFiles(const PredictionFiles&) = delete;
  PredictionFiles& operator=(const PredictionFiles&) = delete;
  ~PredictionFiles();

  void add(const Dataset& dataset, const JudgedAnswers& answers);
  void commit();

 private:
  struct Files {
    Files(const std::filesystem::path& directory, const std::string& prefix, bool with_top_k);
    JsonObjectFile predictions, n_best, odds;
    std::optional<JsonObjectFile> top_k;
  };

  std::filesystem::path directory_;
  std::string prefix_;
  std::filesystem::path made_;  // topmost directory made here; empty: none, or committed
  std::optional<Files> files_;
};

}  // namespace spanforge
