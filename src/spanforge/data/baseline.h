#pragma once
// What: two ways to answer without training. Compare a model's score with them: if a baseline does
//   well, the data can be answered without reading.

#include <string>
#include <vector>

#include "spanforge/data/dataset.h"

namespace spanforge {

// Longest overlap: finds the longest run of characters (ignoring ASCII case) that the question and
// one clause of the context share. Answers with the longer of the clause's parts before and after
// that run, trimmed; "" if nothing is shared. One answer per example, in order.
std::vector<std::string> overlap_baseline(const Dataset& dataset);

// Most frequent answer: takes, for each question form (question_form.h), the 1,000 most frequent
// first answers of the training questions. Answers with the first of them that the context holds;
// "" if the most frequent one is "no answer" or the context holds none.
std::vector<std::string> frequency_baseline(const Dataset& train, const Dataset& dataset);

}  // namespace spanforge
