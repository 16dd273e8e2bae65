#pragma once
// Scores of answered questions as `evaluate` prints them, with or without a model.

#include <string>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/metrics/squad.h"

namespace spanforge::app {

// squad_v2's keys, and those of the other metrics asked for: "squad_v2", "cmrc2018", "word_f1" or
// "all".
Json scores_json(const SquadScores& squad, const std::vector<SquadItem>& items,
                 const std::string& metric);

// For each answer that is not exactly right: golds, prediction, and which words they share.
Json explain_json(const std::vector<SquadItem>& items);

void print_scores(const Json& scores, const Json& explanation, bool json);

}  // namespace spanforge::app
