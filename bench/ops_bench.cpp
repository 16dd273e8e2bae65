// Speed of the operations on the shapes they are built for. Rows named bert are a BERT-large layer
// on 8 windows of 50 tokens, minilm a layer of 384 wide with 12 heads on 8 windows of 384.
// items/s counts floating point operations (GEMM, attention) or elements (the rest).

#include <algorithm>
#include <numeric>
#include <vector>

#include <benchmark/benchmark.h>

#include "spanforge/base/threads.h"
#include "spanforge/ops/activation.h"
#include "spanforge/ops/attention.h"
#include "spanforge/ops/dropout_apply.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/layer_norm.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/tensor/arena.h"

namespace spanforge::ops {
namespace {

class Memory {
 public:
  Tensor make(DType dtype, int64_t rows, int64_t cols, float value = 0.01f) {
    blocks_.push_back(allocate_aligned(static_cast<size_t>(rows * cols) * dtype_size(dtype)));
    const Tensor t = make_tensor(blocks_.back().get(), dtype, rows, cols);
    for (int64_t i = 0; i < t.size(); ++i) {
      const float x = value * static_cast<float>(i * 7919 % 2003 - 1001) / 1001;
      if (dtype == DType::kF32) t.as<float>()[i] = x;
      if (dtype == DType::kBF16) t.as<bf16>()[i] = to_bf16(x);
    }
    return t;
  }

 private:
  std::vector<AlignedBytes> blocks_;
};

DType dtype_of(int64_t argument) { return argument == 0 ? DType::kF32 : DType::kBF16; }

// m, n, k, bf16, kind: 0 forward (W transposed), 1 input gradient, 2 weight gradient.
void gemm_product(benchmark::State& state) {
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const DType dtype = dtype_of(state.range(3));
  const int64_t kind = state.range(4);
  Memory memory;
  GemmOptions options;
  Tensor a = memory.make(dtype, m, k), b = memory.make(dtype, k, n);
  Tensor c = memory.make(kind == 2 ? DType::kF32 : dtype, m, n);
  if (kind == 0) {
    b = memory.make(dtype, n, k);
    options.b = Transpose::kYes;
    options.bias = memory.make(DType::kF32, 1, n);
  } else if (kind == 2) {
    a = memory.make(dtype, k, m);
    options.a = Transpose::kYes;
    options.accumulate = true;
  }
  for (auto _ : state) gemm(a, b, c, options);
  state.SetItemsProcessed(state.iterations() * 2 * m * n * k);
}

void gemm_shapes(benchmark::internal::Benchmark* b) {
  for (const int64_t bf16 : {0, 1}) {
    const auto layer = [&](int64_t tokens, int64_t h, int64_t f) {
      for (const auto& [in, out] : {std::pair{h, 3 * h}, {h, h}, {h, f}, {f, h}}) {
        b->Args({tokens, out, in, bf16, 0});
        b->Args({tokens, in, out, bf16, 1});
        b->Args({out, in, tokens, bf16, 2});
      }
    };
    layer(400, 1024, 4096);
    layer(3072, 384, 1536);
  }
}
BENCHMARK(gemm_product)
    ->Apply(gemm_shapes)
    ->ArgNames({"m", "n", "k", "bf16", "kind"})
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// tokens, columns, bf16, activation.
void activation_forward(benchmark::State& state) {
  Memory memory;
  const DType dtype = dtype_of(state.range(2));
  const Tensor x = memory.make(dtype, state.range(0), state.range(1), 3);
  const Tensor y = memory.make(dtype, state.range(0), state.range(1));
  const Tensor bias = memory.make(DType::kF32, 1, state.range(1), 1e-9f);
  for (auto _ : state) bias_activation(x, bias, static_cast<Activation>(state.range(3)), y);
  state.SetItemsProcessed(state.iterations() * x.size());
}
void activation_backward(benchmark::State& state) {
  Memory memory;
  const DType dtype = dtype_of(state.range(2));
  const Tensor z = memory.make(dtype, state.range(0), state.range(1), 3);
  const Tensor dy = memory.make(dtype, state.range(0), state.range(1));
  const Tensor dx = memory.make(dtype, state.range(0), state.range(1));
  const Tensor dbias = memory.make(DType::kF32, 1, state.range(1));
  for (auto _ : state) {
    bias_activation_backward(dy, z, static_cast<Activation>(state.range(3)), dx, dbias);
  }
  state.SetItemsProcessed(state.iterations() * z.size());
}
void activation_shapes(benchmark::internal::Benchmark* b) {
  for (const int64_t bf16 : {0, 1}) {
    b->Args({400, 4096, bf16, 0});
    b->Args({3072, 1536, bf16, 0});
  }
  b->Args({400, 4096, 0, 1});
}
BENCHMARK(activation_forward)
    ->Apply(activation_shapes)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(activation_backward)
    ->Apply(activation_shapes)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// tokens, columns, bf16, dropout.
struct Normalisation {
  Memory memory;
  Tensor x, residual, z, y, dx, gamma, beta, bias, mean, rstd, dgamma, dbeta, dbias;
  std::vector<uint64_t> keys;
  Dropout dropout;
  explicit Normalisation(const benchmark::State& state) {
    const DType dtype = dtype_of(state.range(2));
    const int64_t t = state.range(0), n = state.range(1);
    for (Tensor* m : {&x, &residual, &z, &y, &dx}) *m = memory.make(dtype, t, n, 1);
    for (Tensor* v : {&gamma, &beta, &bias, &dgamma, &dbeta, &dbias}) {
      *v = memory.make(DType::kF32, 1, n);
    }
    for (Tensor* v : {&mean, &rstd}) *v = memory.make(DType::kF32, 1, t);
    keys.resize(static_cast<size_t>(t));
    std::iota(keys.begin(), keys.end(), uint64_t{1});
    dropout = {state.range(3) != 0 ? 0.1f : 0.0f, 77, keys};
  }
};
void layer_norm_forward(benchmark::State& state) {
  Normalisation n(state);
  for (auto _ : state) {
    bias_dropout_residual_layer_norm(n.x, n.bias, n.dropout, n.residual, n.gamma, n.beta, 1e-12f,
                                     {n.z, n.mean, n.rstd}, n.y);
  }
  state.SetItemsProcessed(state.iterations() * n.x.size());
}
void layer_norm_backward(benchmark::State& state) {
  Normalisation n(state);
  for (auto _ : state) {
    bias_dropout_residual_layer_norm_backward(n.y, {n.z, n.mean, n.rstd}, n.dropout, n.gamma, n.x,
                                              n.dx, n.dgamma, n.dbeta, n.dbias);
  }
  state.SetItemsProcessed(state.iterations() * n.x.size());
}
void layer_norm_shapes(benchmark::internal::Benchmark* b) {
  for (const int64_t bf16 : {0, 1}) {
    for (const int64_t dropout : {0, 1}) {
      b->Args({400, 1024, bf16, dropout});
      b->Args({3072, 384, bf16, dropout});
    }
  }
}
BENCHMARK(layer_norm_forward)
    ->Apply(layer_norm_shapes)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(layer_norm_backward)
    ->Apply(layer_norm_shapes)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

// windows, length, heads, head size, bf16, dropout, reach, 1: with terms by distance.
struct Windows {
  Memory memory;
  Tensor qkv, out, dout, dqkv, lse;
  std::vector<int32_t> cu_seqlens, rows;
  std::vector<uint64_t> keys;
  Dropout dropout;
  AttentionShape shape;
  RelativeGradients drelative;
  explicit Windows(const benchmark::State& state) {
    const int64_t w = state.range(0), s = state.range(1), a = state.range(2), d = state.range(3);
    const DType dtype = dtype_of(state.range(4));
    const int64_t t = w * s, h = a * d;
    qkv = memory.make(dtype, t, 3 * h, 1);
    dqkv = memory.make(dtype, t, 3 * h);
    out = memory.make(dtype, t, h);
    dout = memory.make(dtype, t, h);
    lse = memory.make(DType::kF32, a, t);
    for (int64_t i = 0; i <= w; ++i) cu_seqlens.push_back(static_cast<int32_t>(i * s));
    keys.resize(static_cast<size_t>(t));
    std::iota(keys.begin(), keys.end(), uint64_t{1});
    dropout = {state.range(5) != 0 ? 0.1f : 0.0f, 77, keys};
    shape = {cu_seqlens, static_cast<int32_t>(a), 0.125f, static_cast<int32_t>(state.range(6)), {}};
    if (state.range(7) == 0) return;
    for (int64_t i = 1 - s; i < s; ++i) {
      rows.push_back(static_cast<int32_t>(std::clamp<int64_t>(i + 256, 0, 511)));
    }
    shape.relative = {rows, memory.make(dtype, 512, h), memory.make(dtype, 512, h), {}};
    drelative = {memory.make(DType::kF32, 512, h), memory.make(DType::kF32, 512, h), {}};
  }
};
// Pairs of tokens of which one sees the other, in all windows and heads, except at windows' ends.
int64_t pairs(const benchmark::State& state) {
  const int64_t s = state.range(1), reach = state.range(6);
  const int64_t seen = reach < 0 ? s : std::min(s, 2 * reach + 1);
  return state.range(0) * state.range(2) * s * seen;
}
void attention_forward(benchmark::State& state) {
  Windows w(state);
  for (auto _ : state) attention(w.qkv, w.shape, w.dropout, w.out, w.lse);
  state.SetItemsProcessed(state.iterations() * pairs(state) * state.range(3) * 4);
}
void attention_backward(benchmark::State& state) {
  Windows w(state);
  attention(w.qkv, w.shape, w.dropout, w.out, w.lse);
  for (auto _ : state) {
    attention_backward(w.dout, w.qkv, w.out, w.lse, w.shape, w.dropout, w.dqkv, w.drelative);
  }
  state.SetItemsProcessed(state.iterations() * pairs(state) * state.range(3) * 10);
}
void attention_shapes(benchmark::internal::Benchmark* b) {
  for (const int64_t bf16 : {0, 1}) {
    for (const int64_t dropout : {0, 1}) {
      b->Args({8, 50, 16, 64, bf16, dropout, -1, 0});
      b->Args({8, 384, 12, 32, bf16, dropout, -1, 0});
    }
    b->Args({1, 8192, 12, 64, bf16, 0, 64, 0});  // ModernBERT's local layers
    b->Args({8, 384, 12, 64, bf16, 0, -1, 1});   // DeBERTa
  }
}
BENCHMARK(attention_forward)->Apply(attention_shapes)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(attention_backward)
    ->Apply(attention_shapes)
    ->UseRealTime()
    ->Unit(benchmark::kMicrosecond);

void adamw_update(benchmark::State& state) {
  Memory memory;
  const int64_t n = state.range(0);
  const Tensor p = memory.make(DType::kF32, 1, n), g = memory.make(DType::kF32, 1, n);
  const Tensor m = memory.make(DType::kF32, 1, n), v = memory.make(DType::kF32, 1, n, 0.0f);
  const Tensor shadow = state.range(1) != 0 ? memory.make(DType::kBF16, 1, n) : Tensor{};
  AdamWConstants constants;
  constants.lr = 1e-5;
  for (auto _ : state) adamw(p, g, m, v, shadow, constants);
  state.SetItemsProcessed(state.iterations() * n);
  state.SetBytesProcessed(state.iterations() * n * (state.range(1) != 0 ? 30 : 28));
}
BENCHMARK(adamw_update)
    ->Args({50'000'000, 0})
    ->Args({50'000'000, 1})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void gradient_norm(benchmark::State& state) {
  Memory memory;
  const Tensor g = memory.make(DType::kF32, 1, 50'000'000);
  for (auto _ : state) benchmark::DoNotOptimize(sum_of_squares(g));
  state.SetBytesProcessed(state.iterations() * g.size() * 4);
}
BENCHMARK(gradient_norm)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace spanforge::ops

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  spanforge::set_thread_count(0);
  benchmark::AddCustomContext("instruction_set", spanforge::ops::instruction_set());
  benchmark::RunSpecifiedBenchmarks();
}
