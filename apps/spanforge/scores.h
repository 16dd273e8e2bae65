#pragma once
// Prints scores of answered questions for `evaluate`, with or without a model.

#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/metrics/metric.h"

namespace spanforge::app {

// For each answer that is not exactly right: golds, prediction, and the words they share.
Json explain_json(const std::vector<SquadItem>& items);

void print_scores(const Json& scores, const Json& explanation, bool json);

}  // namespace spanforge::app
