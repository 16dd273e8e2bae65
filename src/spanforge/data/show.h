#pragma once
// The output of `data show`: prints the splits as the Python recipe does.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "spanforge/data/dataset.h"

namespace spanforge {

// Equals str() of a datasets.DatasetDict:
//   DatasetDict({
//       train: Dataset({
//           features: ['id', 'title', 'context', 'question', 'answers'],
//           num_rows: 90
//       })
//   })
// Then, for each split, "# NAME" and its first `rows` rows (all if rows < 0), each as a Python dict
// on its own line.
std::string show_datasets(const std::vector<std::pair<std::string, const Dataset*>>& splits,
                          int64_t rows);

}  // namespace spanforge
