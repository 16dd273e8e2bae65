#pragma once
// What the tests of the operations share: random matrices held in double and copied to tensors of
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

// A matrix in double: what the plain references compute with.
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

// Memory with a tensor on it. `padding` elements stand between rows, `shift` before the first; both
// hold a marker that check_padding() looks for.
class Buffer {
 public:
  Buffer(DType dtype, int64_t rows, int64_t cols, int64_t padding = 0, int64_t shift = 0);
  Buffer(DType dtype, const Matrix& values, int64_t padding = 0, int64_t shift = 0);
  const Tensor& tensor() const { return tensor_; }
  operator const Tensor&() const { return tensor_; }
  Matrix matrix() const;       // what stands there now
  void check_padding() const;  // nothing was written outside the tensor

 private:
  std::vector<std::byte> memory_;
  Tensor tensor_;
};

double value_at(const Tensor& t, int64_t row, int64_t col);
void set_value(const Tensor& t, int64_t row, int64_t col, double value);
// Values rounded to the dtype, so that references see what the operation sees.
Matrix rounded(const Matrix& m, DType dtype);

// |got - wanted| <= absolute + relative * |wanted| everywhere.
void expect_near(const Matrix& got, const Matrix& wanted, double absolute, double relative,
                 const std::string& what);
// Every bit equal.
void expect_same(const Tensor& a, const Tensor& b, const std::string& what);

// Runs body(target) once on each kernel target this CPU has, under a trace naming it; all are
// allowed again afterwards.
void for_each_target(const std::function<void(const std::string&)>& body);
// Runs body with that many threads; restores the former count.
void with_threads(int threads, const std::function<void()>& body);

// Lengths around the vector widths: 0 .. 2 * 16 + 1, and a few longer ones.
std::vector<int64_t> awkward_lengths();

}  // namespace spanforge::testing
