#pragma once
// What: Fits the temperature that makes the spanforge decoder's score the probability of being
//   right. Source: temperature scaling (Guo et al. 2017), here on the decision: it minimises the
//   mean of -log(score) over right and -log(1 - score) over wrong predictions.
// The temperature hardly changes answers but does change no-answer thresholds, so those are
// searched afterwards, with the fitted temperature.

#include <functional>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/decode/decoder.h"
#include "spanforge/features/logits.h"

namespace spanforge {

inline constexpr size_t kCalibrationSample = 2000;  // examples

// `sample` numbers of [0, count), evenly spread, ascending; all of them if there are fewer.
std::vector<size_t> evenly_spread(size_t count, size_t sample);

// The same among the examples of [0, count) that have windows.
std::vector<size_t> calibration_examples(size_t count,
                                         const std::function<bool(size_t)>& has_windows,
                                         size_t sample = kCalibrationSample);

// Between 0.25 and 4. Returns 1 if nothing can be fitted: no example has windows, or all
// predictions are right, or all are wrong (the score would go to an extreme). Uses
// calibration_examples().
double fit_temperature(const Dataset& dataset, const FeatureSet& features, const LogitSet& logits,
                       const DecoderOptions& options, size_t sample = kCalibrationSample);

}  // namespace spanforge
