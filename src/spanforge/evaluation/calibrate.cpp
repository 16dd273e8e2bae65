#include "spanforge/evaluation/calibrate.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "spanforge/base/threads.h"
#include "spanforge/metrics/squad.h"

namespace spanforge {
namespace {

struct Outcome {
  double score = 0;
  bool right = false;
};

class Calibration {
 public:
  Calibration(const Dataset& dataset, const FeatureSet& features, const LogitSet& logits,
              const DecoderOptions& options, size_t sample)
      : dataset_(dataset), features_(features), logits_(logits), options_(options) {
    options_.kind = DecoderKind::kSpanforge;
    options_.top_k = 1;
    const auto has_windows = [&](size_t example) {
      const auto [first, last] = features.windows_of(example);
      return first != last;
    };
    examples_ = calibration_examples(features.example_count(), has_windows, sample);
  }

  std::vector<Outcome> outcomes(double temperature) const {
    DecoderOptions options = options_;
    options.temperature = temperature;
    std::vector<Outcome> outcomes(examples_.size());
    parallel_for(static_cast<int64_t>(examples_.size()), 4, [&](int64_t k) {
      const size_t example = examples_[static_cast<size_t>(k)];
      const Candidate answer =
          decode_example(dataset_, features_, logits_, example, options).prediction;
      SquadItem item = squad_item_of(dataset_.examples[example]);
      item.prediction = answer.text;
      outcomes[static_cast<size_t>(k)] = {answer.score, squad_item_score(item).exact};
    });
    return outcomes;
  }

  double loss(double temperature) const {
    constexpr double kLeast = 1e-6;  // one confident mistake must not decide alone
    double sum = 0;
    for (const Outcome& o : outcomes(temperature)) {
      sum -= std::log(std::clamp(o.right ? o.score : 1.0 - o.score, kLeast, 1.0));
    }
    return sum;
  }

 private:
  const Dataset& dataset_;
  const FeatureSet& features_;
  const LogitSet& logits_;
  DecoderOptions options_;
  std::vector<size_t> examples_;
};

}  // namespace

std::vector<size_t> evenly_spread(size_t count, size_t sample) {
  const size_t kept = std::min(sample, count);
  std::vector<size_t> chosen;
  for (size_t k = 0; k < kept; ++k) chosen.push_back(k * count / kept);
  return chosen;
}

std::vector<size_t> calibration_examples(size_t count,
                                         const std::function<bool(size_t)>& has_windows,
                                         size_t sample) {
  std::vector<size_t> usable;
  for (size_t i = 0; i < count; ++i) {
    if (has_windows(i)) usable.push_back(i);
  }
  std::vector<size_t> chosen;
  for (const size_t k : evenly_spread(usable.size(), sample)) chosen.push_back(usable[k]);
  return chosen;
}

double fit_temperature(const Dataset& dataset, const FeatureSet& features, const LogitSet& logits,
                       const DecoderOptions& options, size_t sample) {
  const Calibration calibration(dataset, features, logits, options, sample);
  const std::vector<Outcome> now = calibration.outcomes(1.0);
  const auto right =
      std::count_if(now.begin(), now.end(), [](const Outcome& o) { return o.right; });
  if (right == 0 || right == static_cast<std::ptrdiff_t>(now.size())) return 1.0;
  // Golden-section search over the logarithm of the temperature.
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double low = std::log(0.25), high = std::log(4.0);
  double a = high - ratio * (high - low), b = low + ratio * (high - low);
  double loss_a = calibration.loss(std::exp(a)), loss_b = calibration.loss(std::exp(b));
  while (high - low > 0.02) {
    if (loss_a <= loss_b) {
      high = b;
      b = a;
      loss_b = loss_a;
      a = high - ratio * (high - low);
      loss_a = calibration.loss(std::exp(a));
    } else {
      low = a;
      a = b;
      loss_a = loss_b;
      b = low + ratio * (high - low);
      loss_b = calibration.loss(std::exp(b));
    }
  }
  return std::exp((low + high) / 2);
}

}  // namespace spanforge
