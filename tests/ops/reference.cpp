#include "ops/reference.h"

#include <cstring>

#include "spanforge/base/threads.h"
#include "spanforge/ops/instruction_sets.h"

namespace spanforge::testing {

namespace {
constexpr std::byte kMarker{0x5A};
}

Matrix random_matrix(CounterStream& stream, int64_t rows, int64_t cols, double deviation,
                     double mean) {
  Matrix m(rows, cols);
  for (double& value : m.values) value = mean + deviation * stream.next_normal();
  return m;
}

double value_at(const Tensor& t, int64_t row, int64_t col) {
  if (t.dtype == DType::kF32) return double{t.row<float>(row)[col]};
  return double{to_float(t.row<bf16>(row)[col])};
}

void set_value(const Tensor& t, int64_t row, int64_t col, double value) {
  if (t.dtype == DType::kF32) {
    t.row<float>(row)[col] = static_cast<float>(value);
  } else {
    t.row<bf16>(row)[col] = to_bf16(static_cast<float>(value));
  }
}

Matrix rounded(const Matrix& m, DType dtype) { return Buffer(dtype, m).matrix(); }

Buffer::Buffer(DType dtype, int64_t rows, int64_t cols, int64_t padding, int64_t shift) {
  const auto elements = static_cast<size_t>(shift + rows * (cols + padding) + 1);
  memory_.assign(elements * dtype_size(dtype), kMarker);
  tensor_ = make_tensor(memory_.data() + static_cast<size_t>(shift) * dtype_size(dtype), dtype,
                        rows, cols);
  tensor_.stride = cols + padding;
}

Buffer::Buffer(DType dtype, const Matrix& values, int64_t padding, int64_t shift)
    : Buffer(dtype, values.rows, values.cols, padding, shift) {
  for (int64_t r = 0; r < values.rows; ++r) {
    for (int64_t c = 0; c < values.cols; ++c) set_value(tensor_, r, c, values(r, c));
  }
}

Matrix Buffer::matrix() const {
  Matrix m(tensor_.rows, tensor_.cols);
  for (int64_t r = 0; r < m.rows; ++r) {
    for (int64_t c = 0; c < m.cols; ++c) m(r, c) = value_at(tensor_, r, c);
  }
  return m;
}

void Buffer::check_padding() const {
  const size_t size = dtype_size(tensor_.dtype);
  const auto* first = static_cast<const std::byte*>(tensor_.data);
  std::vector<bool> inside(memory_.size());
  for (int64_t r = 0; r < tensor_.rows; ++r) {
    const auto begin = static_cast<size_t>(first - memory_.data()) +
                       static_cast<size_t>(r * tensor_.stride) * size;
    for (size_t i = 0; i < static_cast<size_t>(tensor_.cols) * size; ++i) inside[begin + i] = true;
  }
  for (size_t i = 0; i < memory_.size(); ++i) {
    ASSERT_TRUE(inside[i] || memory_[i] == kMarker) << "byte " << i << " was overwritten";
  }
}

void expect_near(const Matrix& got, const Matrix& wanted, double absolute, double relative,
                 const std::string& what) {
  ASSERT_EQ(got.rows, wanted.rows) << what;
  ASSERT_EQ(got.cols, wanted.cols) << what;
  for (int64_t r = 0; r < got.rows; ++r) {
    for (int64_t c = 0; c < got.cols; ++c) {
      const double limit = absolute + relative * std::abs(wanted(r, c));
      ASSERT_LE(std::abs(got(r, c) - wanted(r, c)), limit)
          << what << "[" << r << "," << c << "]: got " << got(r, c) << ", wanted " << wanted(r, c);
    }
  }
}

void expect_same(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.rows, b.rows) << what;
  ASSERT_EQ(a.cols, b.cols) << what;
  ASSERT_EQ(a.dtype, b.dtype) << what;
  for (int64_t r = 0; r < a.rows; ++r) {
    ASSERT_EQ(0, std::memcmp(a.row_range(r, 1).data, b.row_range(r, 1).data,
                             static_cast<size_t>(a.cols) * dtype_size(a.dtype)))
        << what << ", row " << r;
  }
}

void for_each_target(const std::function<void(const std::string&)>& body) {
  for (const std::string& target : ops::kernel_targets()) {
    SCOPED_TRACE("target " + target);
    ops::use_kernel_target(target);
    body(target);
    ops::use_kernel_target("");
    if (::testing::Test::HasFatalFailure()) return;
  }
}

void with_threads(int threads, const std::function<void()>& body) {
  const int before = thread_count();
  set_thread_count(threads);
  body();
  set_thread_count(before);
}

std::vector<int64_t> awkward_lengths() {
  std::vector<int64_t> lengths;
  for (int64_t n = 0; n <= 33; ++n) lengths.push_back(n);
  for (const int64_t n : {47, 63, 64, 65, 100, 127, 128, 129, 384, 1000}) lengths.push_back(n);
  return lengths;
}

}  // namespace spanforge::testing
