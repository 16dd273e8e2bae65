#pragma once
// What: Writes an evaluation's answers as run_qa does: PREFIX_predictions.json {id: text},
//   PREFIX_nbest_predictions.json {id: [{start_logit, end_logit, text, probability}]},
//   PREFIX_null_odds.json {id: number}; and PREFIX_qa_topk.json {id: [{text, score, start, end,
//   start_logit, end_logit}]}, the recipe's n-best (if it was computed). The bytes are those of
//   json.dumps(value, indent=4) + "\n". Skips questions whose example was dropped.
// It writes one question at a time into a group of files (io/staging.h), whose commit() puts them
//   in place.

#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include "spanforge/evaluation/evaluate.h"
#include "spanforge/io/json_object_file.h"
#include "spanforge/io/staging.h"

namespace spanforge {

class PredictionFiles {
 public:
  // group must outlive this. Errors of the calls below: Error{kIo}.
  explicit PredictionFiles(FileGroup& group, std::string prefix = "eval")
      : group_(group), prefix_(std::move(prefix)) {}

  // The names of all files that it may write.
  using Names = std::array<std::string, 4>;
  static Names names(const std::string& prefix = "eval");

  void add(const Dataset& dataset, const JudgedAnswers& answers);
  void finish();

 private:
  struct Files {
    Files(DirectoryWriter& writer, const Names& names, bool with_top_k);
    JsonObjectFile predictions, n_best, odds;
    std::optional<JsonObjectFile> top_k;
  };

  FileGroup& group_;
  std::string prefix_;
  std::optional<Files> files_;
};

}  // namespace spanforge
