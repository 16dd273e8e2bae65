#pragma once
// What: which faults of a file stop which use of it. A fault stops only who would train or score
//   on what it spoils; who counts, shows, splits or converts goes on and tells (faults_line).
//   Whether first answers stand where they say is the features' matter (feature_set.h).
// Errors: Error{kBadData, file, "PLACE (id ID)"} for the first row at fault, with the way on.

#include <optional>
#include <string>

#include "spanforge/data/dataset.h"

namespace spanforge {

// Throws for a blind set.
void require_references(const Dataset& dataset);

// Every row and every first answer can be read.
void require_trainable(const Dataset& dataset);
// Leaves out the questions that require_trainable refuses; `line` tells how many and the first
// ("" where none). Throws where nothing is left.
Dataset drop_untrainable(Dataset dataset, std::string& line);

// Every row can be read, and every reference's text is certain: a text, or a number or truth value
// that stands whole where it says or, where it does not say, in one place. by_id: no id stands
// twice either, as where scores or predictions are kept by id. A blind set passes.
void require_scorable(const Dataset& dataset, bool by_id);
// Leaves out the questions that require_scorable refuses where by_id is false; as drop_untrainable.
Dataset drop_unscorable(Dataset dataset, std::string& line);

ErrorPlace place_of_fault(const Dataset& dataset, const RowFault& fault);

// "FILE: 2 bad_row, 1 duplicate_id; first line 7: question is missing (...)": one line, nullopt
// where nothing is at fault.
std::optional<std::string> faults_line(const Dataset& dataset);

}  // namespace spanforge
