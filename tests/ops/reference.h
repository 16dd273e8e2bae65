#pragma once
// Shared by the tests of the operations: random matrices in double, their copies in tensors of
// either dtype (also as views with a stride and an odd start), and comparisons.

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "spanforge/base/random.h"
#include "spanforge/tensor/tensor.h"
#include "support/testing.h"

namespace spanforge::testing {

// A matrix in double, for the plain references.
struct Matrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;
  Matrix() = default;
  Matrix(int64_t r, int64_t c) : rows(r), cols(c), values(static_cast<size_t>(r * c)) {}
  double& operator()(int64_t r, int64_t c) { return values[static_cast<size_t>(r * cols + c)]; }
  double operator()(int64_t r, int64_t c) const {
    return values[static_cast<size_t>(r * cols + c)];
  }
};

Matrix random_matrix(CounterStream& stream, int64_t rows, int64_t cols, double deviation = 1.0,
                     double mean = 0.0);

// Memory with a tensor on it. There are `padding` elements between rows and `shift` before the
// first; they hold a marker that check_padding() checks.
class Buffer {
 public:
  Buffer(DType dtype, int64_t rows, int64_t cols, int64_t padding = 0, int64_t shift = 0);
  Buffer(DType dtype, const Matrix& values, int64_t padding = 0, int64_t shift = 0);
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }
  Matrix matrix() const;       // fails if something was written outside the tensor
  void check_padding() const;  // nothing was written outside the tensor

 private:
  std::vector<std::byte> memory_;
  Tensor tensor_;
};

double value_at(const Tensor& t, int64_t row, int64_t col);
void set_value(const Tensor& t, int64_t row, int64_t col, double value);
// Values rounded to the dtype, so that references compute with what the operation reads.
Matrix rounded(const Matrix& m, DType dtype);

// |got - wanted| <= absolute + relative * |wanted| everywhere.
void expect_near(const Matrix& got, const Matrix& wanted, double absolute, double relative,
                 const std::string& what);
// Equal in every bit.
void expect_same(const Tensor& a, const Tensor& b, const std::string& what);

// Runs body(target) once on each kernel target of this CPU, under a trace that names it. Afterwards
// all targets are allowed again.
void for_each_target(const std::function<void(const std::string&)>& body);
// Runs body with that many threads, then restores the former count.
void with_threads(int threads, const std::function<void()>& body);

// Lengths around the vector widths: 0 .. 2 * 16 + 1, and a few longer ones.
std::vector<int64_t> awkward_lengths();

}  // namespace spanforge::testing
