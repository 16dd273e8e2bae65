#include "spanforge/ops/adafactor.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "spanforge/ops/check.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/update_kernel.h"
#include "spanforge/ops/vector_kernel.h"

namespace spanforge::ops {
namespace {

// Scalars are rounded to f32 as torch does when it passes a Python float to an f32 kernel.
struct Decay {
  float keep, add;
  explicit Decay(const AdafactorConstants& c) {
    const double beta2 = 1 - std::pow(static_cast<double>(c.step), c.decay_rate);
    keep = static_cast<float>(beta2);
    add = static_cast<float>(1 - beta2);
  }
  float operator()(float old, double mean) const {
    return keep * old + add * static_cast<float>(mean);
  }
};

float root_mean_square(double sum_of_squares, int64_t count) {
  return static_cast<float>(std::sqrt(sum_of_squares) / std::sqrt(static_cast<double>(count)));
}

AdafactorFactors factors_of(const AdafactorConstants& c, float update_rms) {
  return {.gradient_scale = c.gradient_scale,
          .divisor = std::max(1.0f, update_rms / static_cast<float>(c.clip_threshold)),
          .rate = static_cast<float>(c.lr),
          .negative_decay = static_cast<float>(-(c.weight_decay * c.lr))};
}

double sum_in_order(const std::vector<double>& parts) {
  double total = 0;
  for (const double part : parts) total += part;
  return total;
}

// A matrix of which only some rows have gradients. Row i of these `count` rows is row_at(i).
template <class RowAt>
class MatrixStep {
 public:
  MatrixStep(const Tensor& param, const Tensor& grad, int64_t count, const RowAt& row_at,
             const AdafactorConstants& constants)
      : param_(param), grad_(grad), count_(count), row_at_(row_at), c_(constants) {}

  void run(const Tensor& row, const Tensor& col, const Tensor& shadow) {
    update_means(row.as<float>(), col.as<float>());
    const AdafactorFactors factors = factors_of(c_, update_rms());
    for_blocks([&](int64_t, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t r = row_at_(i);
        adafactor_kernel(param_.row<float>(r), grad_.row<float>(r), column_factors_.data(),
                         row_factors_[static_cast<size_t>(i)],
                         shadow.empty() ? nullptr : shadow.row<bf16>(r), param_.cols, factors);
      }
    });
  }

 private:
  int64_t blocks() const {
    return count_ == 0 ? 0 : (count_ + reduction_rows(count_) - 1) / reduction_rows(count_);
  }

  // Calls body(block, begin, end) on all threads. The blocks depend on the number of rows alone.
  template <class Body>
  void for_blocks(const Body& body) const {
    const int64_t rows = reduction_rows(count_);
    parallel_blocks(blocks(), rows * param_.cols, [&](int64_t block) {
      body(block, block * rows, std::min(count_, (block + 1) * rows));
    });
  }

  void update_means(float* row, float* col) {
    const int64_t R = param_.rows, C = param_.cols;
    const double scale = static_cast<double>(c_.gradient_scale) * c_.gradient_scale;
    const Decay decay(c_);
    std::vector<double> row_means(static_cast<size_t>(R), c_.eps);
    std::vector<double> column_sums(static_cast<size_t>(blocks() * C));
    for_blocks([&](int64_t block, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t r = row_at_(i);
        const float* const g = grad_.row<float>(r);
        row_means[static_cast<size_t>(r)] +=
            scale * sum_of_squares_kernel(g, C) / static_cast<double>(C);
        add_squares_kernel(g, C, column_sums.data() + block * C);
      }
    });
    double mean_of_rows = 0;
    for (int64_t r = 0; r < R; ++r) {
      row[r] = decay(row[r], row_means[static_cast<size_t>(r)]);
      mean_of_rows += row[r];
    }
    const auto mean = static_cast<float>(mean_of_rows / static_cast<double>(R));
    for (int64_t i = 0; i < count_; ++i) {
      row_factors_.push_back(1.0f / std::sqrt(row[row_at_(i)] / mean));
    }
    for (int64_t j = 0; j < C; ++j) {
      double sum = 0;
      for (int64_t block = 0; block < blocks(); ++block) {
        sum += column_sums[static_cast<size_t>(block * C + j)];
      }
      col[j] = decay(col[j], scale * sum / static_cast<double>(R) + c_.eps);
      column_factors_.push_back(1.0f / std::sqrt(col[j]));
    }
  }

  float update_rms() const {
    std::vector<double> sums(static_cast<size_t>(blocks()));
    for_blocks([&](int64_t block, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        sums[static_cast<size_t>(block)] += adafactor_squares_kernel(
            grad_.row<float>(row_at_(i)), column_factors_.data(),
            row_factors_[static_cast<size_t>(i)], c_.gradient_scale, param_.cols);
      }
    });
    return root_mean_square(sum_in_order(sums), param_.size());
  }

  const Tensor& param_;
  const Tensor& grad_;
  const int64_t count_;
  const RowAt& row_at_;
  const AdafactorConstants& c_;
  std::vector<float> row_factors_, column_factors_;  // of row_at(i), of column j
};

void check(const char* op, const Tensor& param, const Tensor& grad, const Tensor& row,
           const Tensor& col, const Tensor& rms, const AdafactorConstants& constants) {
  require_matrix(op, "param", param, param.rows, param.cols, DType::kF32);
  require_matrix(op, "grad", grad, param.rows, param.cols, DType::kF32);
  require_vector(op, "row", row, param.rows);
  require_vector(op, "col", col, param.cols);
  require_vector(op, "rms", rms, 1);
  require(op, constants.step >= 1, "step is counted from 1");
}

// Updates all rows except `rows`: without gradients, an update is only weight decay.
void decay_others(const Tensor& param, std::span<const int32_t> rows,
                  const AdafactorConstants& constants) {
  if (constants.weight_decay == 0) return;
  std::vector<bool> has(static_cast<size_t>(param.rows));
  for (const int32_t row : rows) has[static_cast<size_t>(row)] = true;
  const std::vector<float> zeros(static_cast<size_t>(param.cols));
  const AdafactorFactors factors = factors_of(constants, 0);
  parallel_rows(param.rows, 16, param.cols, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      if (has[static_cast<size_t>(r)]) continue;
      adafactor_kernel(param.row<float>(r), zeros.data(), zeros.data(), 0, nullptr, param.cols,
                       factors);
    }
  });
}

}  // namespace

void adafactor(const Tensor& param, const Tensor& grad, const Tensor& row, const Tensor& col,
               const Tensor& rms, const Tensor& shadow, const AdafactorConstants& constants) {
  check("adafactor", param, grad, row, col, rms, constants);
  if (!shadow.empty()) {
    require_matrix("adafactor", "shadow", shadow, param.rows, param.cols, DType::kBF16);
  }
  if (param.empty()) return;
  rms.as<float>()[0] = root_mean_square(sum_of_squares(param), param.size());
  const auto row_at = [](int64_t i) { return i; };
  MatrixStep(param, grad, param.rows, row_at, constants).run(row, col, shadow);
}

void adafactor_rows(const Tensor& param, const Tensor& grad, const Tensor& row, const Tensor& col,
                    const Tensor& rms, std::span<const int32_t> rows,
                    const AdafactorConstants& constants) {
  check("adafactor_rows", param, grad, row, col, rms, constants);
  for (const int32_t r : rows) {
    require("adafactor_rows", r >= 0 && r < param.rows, "a row is out of range");
  }
  if (param.empty()) return;
  rms.as<float>()[0] = root_mean_square(sum_of_squares(param), param.size());
  const auto row_at = [&](int64_t i) { return static_cast<int64_t>(rows[static_cast<size_t>(i)]); };
  MatrixStep(param, grad, static_cast<int64_t>(rows.size()), row_at, constants)
      .run(row, col, Tensor{});
  decay_others(param, rows, constants);
}

void adafactor_vector(const Tensor& param, const Tensor& grad, const Tensor& v, const Tensor& rms,
                      const AdafactorConstants& constants) {
  const int64_t n = param.cols;
  require_vector("adafactor_vector", "param", param, n);
  require_vector("adafactor_vector", "grad", grad, n);
  require_vector("adafactor_vector", "v", v, n);
  require_vector("adafactor_vector", "rms", rms, 1);
  require("adafactor_vector", constants.step >= 1, "step is counted from 1");
  if (n == 0) return;
  rms.as<float>()[0] = root_mean_square(sum_of_squares(param), n);
  const Decay decay(constants);
  const auto eps = static_cast<float>(constants.eps);
  std::vector<float> factors(static_cast<size_t>(n));
  for (int64_t j = 0; j < n; ++j) {
    const float g = grad.as<float>()[j] * constants.gradient_scale;
    float& mean = v.as<float>()[j];
    mean = decay(mean, g * g + eps);
    factors[static_cast<size_t>(j)] = 1.0f / std::sqrt(mean);
  }
  const double squares =
      adafactor_squares_kernel(grad.as<float>(), factors.data(), 1, constants.gradient_scale, n);
  adafactor_kernel(param.as<float>(), grad.as<float>(), factors.data(), 1, nullptr, n,
                   factors_of(constants, root_mean_square(squares, n)));
}

}  // namespace spanforge::ops
