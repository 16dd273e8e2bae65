#include "spanforge/train/trained_parameters.h"

#include <algorithm>

namespace spanforge {

TrainedParameters trained_parameters(const std::vector<Parameter>& rows,
                                     const std::function<bool(const Parameter&)>& is_trained) {
  std::vector<const Parameter*> all;
  for (const Parameter& row : rows) all.push_back(&row);
  std::sort(all.begin(), all.end(), [](auto* a, auto* b) { return a->offset < b->offset; });
  TrainedParameters trained;
  bool joins = false;
  for (const Parameter* row : all) {
    const bool is_one = is_trained(*row);
    if (is_one) trained.push_back({row, joins});
    joins = is_one;
  }
  return trained;
}

TrainedParameters trained_parameters(const std::vector<Parameter>& rows) {
  return trained_parameters(rows, [](const Parameter& row) { return row.trainable; });
}

std::vector<FlatRange> flat_ranges(const TrainedParameters& parameters) {
  std::vector<FlatRange> ranges;
  for (const auto& [row, joins] : parameters) {
    if (row->embedding) continue;
    if (ranges.empty() || !joins || ranges.back().decays != row->decays) {
      ranges.push_back({row, row->offset, 0, row->decays});
    }
    ranges.back().end = row->offset + row->size;
  }
  return ranges;
}

}  // namespace spanforge
