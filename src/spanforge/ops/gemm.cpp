#include "spanforge/ops/gemm.h"

#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <list>
#include <mutex>
#include <new>
#include <unordered_map>

#include <dnnl.hpp>

#include "spanforge/ops/check.h"
#include "spanforge/ops/instruction_sets.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/runtime.h"
#include "spanforge/ops/tile_gemm.h"
#include "spanforge/ops/tiles.h"

namespace spanforge::ops {
namespace {

using dnnl::memory;

// All that a oneDNN primitive depends on. Leading dimensions are those of the stored matrices.
struct Shape {
  int64_t m, n, k, lda, ldb, ldc;
  int64_t flags;  // dtypes, transpositions, bias, accumulate
  bool operator==(const Shape&) const = default;
};

struct ShapeHash {
  size_t operator()(const Shape& s) const {
    uint64_t h = 0;
    for (const int64_t v : {s.m, s.n, s.k, s.lda, s.ldb, s.ldc, s.flags}) {
      h = (h ^ static_cast<uint64_t>(v)) * 0x9E3779B97F4A7C15ull;
      h ^= h >> 29;
    }
    return static_cast<size_t>(h);
  }
};

struct Product {
  dnnl::matmul primitive;
  memory::desc a, b, bias, c, scratchpad;
};

const dnnl::engine& engine() {
  static const dnnl::engine cpu = [] {
    // oneDNN would keep 1,024 primitives too, also those that ProductCache has dropped.
    dnnl::set_primitive_cache_capacity(0);
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return cpu;
}

memory::data_type onednn_type(DType t) {
  return t == DType::kBF16 ? memory::data_type::bf16 : memory::data_type::f32;
}

memory::desc matrix_desc(int64_t rows, int64_t cols, DType dtype, int64_t stride, Transpose t) {
  const memory::dims strides =
      t == Transpose::kYes ? memory::dims{1, stride} : memory::dims{stride, 1};
  return {{rows, cols}, onednn_type(dtype), strides};
}

struct Operands {
  const Tensor& a;
  const Tensor& b;
  const Tensor& c;
  const GemmOptions& options;
  int64_t m, n, k;
};

class ThreadPromise {
 public:
  explicit ThreadPromise(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ThreadPromise(const ThreadPromise&) = delete;
  ThreadPromise& operator=(const ThreadPromise&) = delete;
  ~ThreadPromise() { omp_set_num_threads(before_); }

 private:
  int before_;
};

Shape shape_of(const Operands& x) {
  const auto stride = [](const Tensor& t) { return t.rows > 1 ? t.stride : t.cols; };
  int64_t flags = 0;
  for (const bool bit :
       {x.a.dtype == DType::kBF16, x.c.dtype == DType::kBF16, x.options.a == Transpose::kYes,
        x.options.b == Transpose::kYes, !x.options.bias.empty(), x.options.accumulate}) {
    flags = 2 * flags + (bit ? 1 : 0);
  }
  // Also the thread count, because oneDNN fixes its division of the work when it makes a primitive.
  flags = flags << 32 | worker_threads();
  return {x.m, x.n, x.k, stride(x.a), stride(x.b), stride(x.c), flags};
}

// oneDNN (seen in 2.6) does not check whether it got memory for the code that it generates, and
// a signal ends the process. So this asks for the address space first.
void expect_memory_for_code() {
  constexpr size_t kBytes = size_t{16} << 20;
  void* const memory =
      ::mmap(nullptr, kBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::munmap(memory, kBytes);
}

Product make_product(const Operands& x, const Shape& shape) {
  expect_memory_for_code();
  // oneDNN divides the work by the number of threads that OpenMP promises now. Inside a parallel
  // region it would be promised more than the one thread it gets.
  const ThreadPromise promise(worker_threads());
  Product p;
  p.a = matrix_desc(x.m, x.k, x.a.dtype, shape.lda, x.options.a);
  p.b = matrix_desc(x.k, x.n, x.b.dtype, shape.ldb, x.options.b);
  p.c = matrix_desc(x.m, x.n, x.c.dtype, shape.ldc, Transpose::kNo);
  if (!x.options.bias.empty()) p.bias = matrix_desc(1, x.n, DType::kF32, x.n, Transpose::kNo);
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (x.options.accumulate) {
    dnnl::post_ops sum;
    sum.append_sum(1.0f);
    attributes.set_post_ops(sum);
  }
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::matmul::primitive_desc description(engine(), p.a, p.b, p.bias, p.c, attributes);
#else
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(p.a, p.b, p.bias, p.c),
                                                 attributes, engine());
#endif
  p.scratchpad = description.scratchpad_desc();
  p.primitive = dnnl::matmul(description);
  return p;
}

// The most recently used primitives. Making one costs about a millisecond of code generation, and
// keeping it some 40 kB. A batch of a number of tokens not seen before needs about five, so a
// server would fill any cache; this one is large enough for batches that repeat.
class ProductCache {
 public:
  std::shared_ptr<const Product> get(const Operands& x) {
    const Shape shape = shape_of(x);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (const auto found = index_.find(shape); found != index_.end()) {
        recent_.splice(recent_.begin(), recent_, found->second);
        return recent_.front().second;
      }
    }
    auto product = std::make_shared<const Product>(make_product(x, shape));
    const std::lock_guard<std::mutex> lock(mutex_);
    if (index_.contains(shape)) return product;  // another thread was faster
    recent_.emplace_front(shape, product);
    index_[shape] = recent_.begin();
    if (recent_.size() > kCapacity) {
      index_.erase(recent_.back().first);
      recent_.pop_back();
    }
    return product;
  }

 private:
  static constexpr size_t kCapacity = 256;
  using Entry = std::pair<Shape, std::shared_ptr<const Product>>;
  std::mutex mutex_;
  std::list<Entry> recent_;
  std::unordered_map<Shape, std::list<Entry>::iterator, ShapeHash> index_;
};

ProductCache& cache() {
  // Never destroyed, because oneDNN's own statics may be destroyed before it at exit.
  static auto* products = new ProductCache;
  return *products;
}

void multiply(const Operands& x) {
  try {
    const auto product = cache().get(x);
    thread_local dnnl::stream stream(engine());
    void* pad = scratch_bytes(Scratch::kGemm, product->scratchpad.get_size());
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, memory(product->a, engine(), x.a.data)},
        {DNNL_ARG_WEIGHTS, memory(product->b, engine(), x.b.data)},
        {DNNL_ARG_DST, memory(product->c, engine(), x.c.data)},
        {DNNL_ARG_SCRATCHPAD, memory(product->scratchpad, engine(), pad)}};
    if (!x.options.bias.empty()) {
      arguments.emplace(DNNL_ARG_BIAS, memory(product->bias, engine(), x.options.bias.data));
    }
    product->primitive.execute(stream, arguments);
    stream.wait();
  } catch (const dnnl::error& error) {
    fail("gemm", std::string("oneDNN: ") + error.what() + ", status " +
                     std::to_string(static_cast<int>(error.status)) + ", for a " + describe(x.a) +
                     ", b " + describe(x.b) + ", c " + describe(x.c));
  }
}

Tensor to_f32(const Tensor& t, float*& memory) {
  Tensor wide = make_tensor(memory, t.rows, t.cols);
  memory += t.size();
  convert(t, wide);
  return wide;
}

// bf16 on a CPU without bf16 arithmetic, because oneDNN would take its slow reference path.
void multiply_as_f32(const Operands& x) {
  float* memory = scratch<float>(Scratch::kConvert, x.a.size() + x.b.size() + x.c.size());
  const Tensor a = to_f32(x.a, memory);
  const Tensor b = to_f32(x.b, memory);
  if (x.c.dtype == DType::kF32) return multiply({a, b, x.c, x.options, x.m, x.n, x.k});
  const Tensor c = x.options.accumulate ? to_f32(x.c, memory) : make_tensor(memory, x.m, x.n);
  multiply({a, b, c, x.options, x.m, x.n, x.k});
  convert(c, x.c);
}

void multiply_in_tiles(const Operands& x) {
  const GemmOptions& o = x.options;
  tile_multiply({.a = {x.a.as<bf16>(), x.a.stride, o.a == Transpose::kNo},
                 .b = {x.b.as<bf16>(), x.b.stride, o.b == Transpose::kYes},
                 .m = x.m,
                 .n = x.n,
                 .k = x.k,
                 .c = x.c.data,
                 .c_stride = x.c.stride,
                 .c_is_bf16 = x.c.dtype == DType::kBF16,
                 .bias = o.bias.empty() ? nullptr : o.bias.as<float>(),
                 .accumulate = o.accumulate});
}

void check(const Operands& x) {
  const bool fits = (x.options.b == Transpose::kYes ? x.b.cols : x.b.rows) == x.k &&
                    x.c.rows == x.m && x.c.cols == x.n;
  if (!fits) {
    const auto mark = [](Transpose t) { return t == Transpose::kYes ? "^T" : ""; };
    fail("gemm", "shapes do not fit: a" + std::string(mark(x.options.a)) + " " + describe(x.a) +
                     ", b" + mark(x.options.b) + " " + describe(x.b) + ", c " + describe(x.c));
  }
  require_float("gemm", "a", x.a);
  require_matrix("gemm", "a", x.a, x.a.rows, x.a.cols, x.a.dtype);
  require_matrix("gemm", "b", x.b, x.b.rows, x.b.cols, x.a.dtype);
  require_float("gemm", "c", x.c);
  require_matrix("gemm", "c", x.c, x.m, x.n, x.c.dtype);
  require("gemm", x.a.dtype == DType::kBF16 || x.c.dtype == DType::kF32,
          "f32 factors need an f32 result");
  if (x.options.bias.data != nullptr) require_vector("gemm", "bias", x.options.bias, x.n);
}

// There are no terms to add: c becomes the bias or zero, or stays as it was.
void empty_sum(const Operands& x) {
  if (!x.options.accumulate) {
    for (int64_t r = 0; r < x.m; ++r) fill_zero(x.c.row_range(r, 1));
  }
  if (x.options.bias.empty()) return;
  for (int64_t r = 0; r < x.m; ++r) {
    for (int64_t j = 0; j < x.n; ++j) {
      const float bias = x.options.bias.as<float>()[j];
      if (x.c.dtype == DType::kF32) {
        x.c.row<float>(r)[j] += bias;
      } else {
        bf16& value = x.c.row<bf16>(r)[j];
        value = to_bf16(to_float(value) + bias);
      }
    }
  }
}

}  // namespace

void gemm(const Tensor& a, const Tensor& b, const Tensor& c, const GemmOptions& options) {
  const bool ta = options.a == Transpose::kYes;
  const bool tb = options.b == Transpose::kYes;
  const Operands x{
      a, b, c, options, ta ? a.cols : a.rows, tb ? b.rows : b.cols, ta ? a.rows : a.cols};
  check(x);
  if (x.m == 0 || x.n == 0) return;
  if (x.k == 0) return empty_sum(x);
  if (a.dtype == DType::kBF16 && !bf16_is_fast()) return multiply_as_f32(x);
  if (a.dtype == DType::kBF16 && has_amx()) return multiply_in_tiles(x);
  multiply(x);
}

}  // namespace spanforge::ops
