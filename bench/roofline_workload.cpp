// roofline_workload THREADS QUICK(0|1)
// Measures what this machine can do: GFLOP/s of a matrix product in f32 and bf16 at the shapes of
// an encoder, and GB/s (read and written) of copying 1 GiB with all threads. Each figure is the
// best of many repetitions, because it is a limit.

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>

#include "spanforge/base/threads.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/tensor/arena.h"
#include "workload.h"

namespace spanforge::bench {
namespace {

template <class Work>
double best_seconds(double budget, const Work& work) {
  work();
  double best = 1e9, spent = 0;
  for (int i = 0; i < 3 || spent < budget; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
    spent += seconds.count();
  }
  return best;
}

struct Matrix {
  AlignedBytes memory;
  Tensor tensor;
};

Matrix make_matrix(DType dtype, int64_t rows, int64_t cols) {
  Matrix m{allocate_aligned(static_cast<size_t>(rows * cols) * dtype_size(dtype)), {}};
  m.tensor = make_tensor(m.memory.get(), dtype, rows, cols);
  for (int64_t i = 0; i < m.tensor.size(); ++i) {
    const float x = 0.01f * static_cast<float>(i % 200 - 100);
    if (dtype == DType::kF32) m.tensor.as<float>()[i] = x;
    if (dtype == DType::kBF16) m.tensor.as<bf16>()[i] = to_bf16(x);
  }
  return m;
}

double gemm_gflops(DType dtype, int64_t m, int64_t k, int64_t n, double budget) {
  const Matrix a = make_matrix(dtype, m, k), b = make_matrix(dtype, n, k),
               c = make_matrix(dtype, m, n);
  ops::GemmOptions options;
  options.b = ops::Transpose::kYes;  // weights have Hugging Face's layout
  const double seconds =
      best_seconds(budget, [&] { ops::gemm(a.tensor, b.tensor, c.tensor, options); });
  return 2e-9 * static_cast<double>(m * n * k) / seconds;
}

double copy_gigabytes_per_second(double budget) {
  constexpr size_t kBytes = size_t{1} << 30, kPart = size_t{1} << 22;
  const AlignedBytes from = allocate_aligned(kBytes), to = allocate_aligned(kBytes);
  std::memset(from.get(), 1, kBytes);
  const double seconds = best_seconds(budget, [&] {
    parallel_for(static_cast<int64_t>(kBytes / kPart), 1, [&](int64_t i) {
      const size_t at = static_cast<size_t>(i) * kPart;
      std::memcpy(to.get() + at, from.get() + at, kPart);
    });
  });
  return 2e-9 * static_cast<double>(kBytes) / seconds;
}

}  // namespace
}  // namespace spanforge::bench

int main(int argc, char** argv) {
  using namespace spanforge;
  if (argc != 3) return 2;
  return bench::guarded([&] {
    const int threads = set_thread_count(std::stoi(argv[1]));
    const double budget = std::string(argv[2]) == "1" ? 0.1 : 1.5;
    bench::answer_runs([&]() -> Json {
      Json gemms = Json::array();
      const int64_t shapes[][3] = {{400, 1024, 4096},  {400, 4096, 1024}, {1024, 400, 4096},
                                   {2048, 1024, 4096}, {38, 1024, 4096},  {400, 768, 3072}};
      for (const auto& [m, k, n] : shapes) {
        gemms.push_back({{"m", m},
                         {"k", k},
                         {"n", n},
                         {"f32", bench::gemm_gflops(DType::kF32, m, k, n, budget)},
                         {"bf16", bench::gemm_gflops(DType::kBF16, m, k, n, budget)}});
      }
      return {{"threads", threads},
              {"instruction_set", ops::instruction_set()},
              {"gemm", gemms},
              {"copy_gb_per_s", bench::copy_gigabytes_per_second(budget)}};
    });
  });
}
