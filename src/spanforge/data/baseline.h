#pragma once
// What: two ways to answer without having learnt to. A model's score means something only beside
//   them; where a baseline does well, the data can be answered without reading.

#include <string>
#include <vector>

#include "spanforge/data/dataset.h"

namespace spanforge {

// Longest overlap: finds the longest run of characters (ASCII case ignored) that the question and
// one clause of the context share, and answers with the longer of the clause's parts before and
// behind that run, trimmed; "" where nothing is shared. One answer an example, in order.
std::vector<std::string> overlap_baseline(const Dataset& dataset);

// Most frequent form of answer: for each question form (question_form.h) the first answers of the
// training questions, the 1,000 most frequent, in order; the first of them that the context holds
// is the answer.
// "" where "no answer" is the most frequent, or none is in the context.
std::vector<std::string> frequency_baseline(const Dataset& train, const Dataset& dataset);

}  // namespace spanforge
