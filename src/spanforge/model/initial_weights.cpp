#include "spanforge/model/initial_weights.h"

#include <algorithm>
#include <cmath>

#include "spanforge/base/hash.h"
#include "spanforge/base/random.h"
#include "spanforge/base/threads.h"

namespace spanforge {
namespace {

// Values beyond the cutoff, if there is one, are drawn again.
double next_normal(CounterStream& stream, double cutoff) {
  double value = stream.next_normal();
  while (cutoff > 0 && std::abs(value) > cutoff) value = stream.next_normal();
  return value;
}

}  // namespace

void initialize_parameter(const Parameter& parameter, double spread, uint64_t seed,
                          const Tensor& weights) {
  const uint64_t key = combine(seed, stable_hash(parameter.name));
  constexpr int64_t kRowsAtOnce = 16;
  parallel_for(weights.rows, kRowsAtOnce, [&](int64_t r) {
    float* row = weights.row<float>(r);
    if (parameter.init == Parameter::Init::kUniformInputs) {
      CounterStream stream(combine(key, static_cast<uint64_t>(r)));
      const double most = 1 / std::sqrt(static_cast<double>(weights.cols));
      for (int64_t c = 0; c < weights.cols; ++c) {
        row[c] = static_cast<float>(most * (2 * stream.next_uniform() - 1));
      }
      return;
    }
    const bool is_normal =
        parameter.init == Parameter::Init::kNormal || parameter.init == Parameter::Init::kRows;
    if (!is_normal || r == parameter.zero_row) {
      std::fill_n(row, weights.cols, parameter.init == Parameter::Init::kOnes ? 1.0f : 0.0f);
      return;
    }
    CounterStream stream(combine(key, static_cast<uint64_t>(r)));
    for (int64_t c = 0; c < weights.cols; ++c) {
      row[c] = static_cast<float>(spread * next_normal(stream, parameter.cutoff));
    }
  });
}

}  // namespace spanforge
