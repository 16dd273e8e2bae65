#pragma once
// What: decides which faults of a file prevent which use. A fault prevents only training or scoring
//   on what it affects. Counting, showing, splitting and converting report it and go on
//   (faults_line). The features check the places of first answers (feature_set.h).
// Errors: Error{kBadData, file, "PLACE (id ID)"} for the first faulty row; it says what to do.

#include <optional>
#include <string>

#include "spanforge/data/dataset.h"

namespace spanforge {

// Throws for a blind set.
void require_references(const Dataset& dataset);

// Throws unless every row and every first answer can be read.
void require_trainable(const Dataset& dataset);
// Skips the questions that require_trainable() refuses. line: how many, and the first; "" if there
// are none. Throws if nothing is left.
Dataset drop_untrainable(Dataset dataset, std::string& line);

// Throws unless every row can be read and every reference's text is certain: a text, or a number or
// truth value that is whole at its start or, without a start, has one place. by_id: scores or
// predictions are kept by id, so no id may repeat. A blind set passes.
void require_scorable(const Dataset& dataset, bool by_id);
// Like drop_untrainable(), for the questions that require_scorable() refuses without by_id.
Dataset drop_unscorable(Dataset dataset, std::string& line);

ErrorPlace place_of_fault(const Dataset& dataset, const RowFault& fault);

// One line: "FILE: 2 bad_row, 1 duplicate_id; first line 7: question is missing (...)". nullopt:
// there are no faults.
std::optional<std::string> faults_line(const Dataset& dataset);

}  // namespace spanforge
