#pragma once
// What: the temperature that makes the spanforge decoder's score an honest probability of being
//   right. Source: temperature scaling (Guo et al. 2017), here on the decision: the mean of
//   -log(score) over right and -log(1 - score) over wrong predictions is made smallest.
// The answers hardly move with it; no-answer thresholds do, so they are searched afterwards, with
// the temperature in place.

#include <functional>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/decode/decoder.h"
#include "spanforge/features/logits.h"

namespace spanforge {

inline constexpr size_t kCalibrationSample = 2000;  // examples

// `sample` of [0, count), or all where there are fewer, evenly spread, ascending.
std::vector<size_t> evenly_spread(size_t count, size_t sample);

// The same of the examples [0, count) that have windows.
std::vector<size_t> calibration_examples(size_t count,
                                         const std::function<bool(size_t)>& has_windows,
                                         size_t sample = kCalibrationSample);

// Between 0.25 and 4; 1 where nothing can be told (no example with windows, or all predictions
// right, or all wrong: then the score would be driven to an extreme). Looks at
// calibration_examples().
double fit_temperature(const Dataset& dataset, const FeatureSet& features, const LogitSet& logits,
                       const DecoderOptions& options, size_t sample = kCalibrationSample);

}  // namespace spanforge
