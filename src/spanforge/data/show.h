#pragma once
// What `data show` prints: the splits as the Python recipe prints them.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "spanforge/data/dataset.h"

namespace spanforge {

// As str() of a datasets.DatasetDict:
//   DatasetDict({
//       train: Dataset({
//           features: ['id', 'title', 'context', 'question', 'answers'],
//           num_rows: 90
//       })
//   })
// and then, for each split, "# NAME" and its first `rows` rows (all where rows < 0), each as a
// Python dict on a line of its own.
std::string show_datasets(const std::vector<std::pair<std::string, const Dataset*>>& splits,
                          int64_t rows);

}  // namespace spanforge
