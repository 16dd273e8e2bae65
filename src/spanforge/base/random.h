#pragma once
// Two kinds of random numbers.
// - Counter-based (Philox4x32-10; Salmon et al. 2011): a value is a pure function of a key and a
//   counter. There is no state to save, and the values do not depend on the number of threads.
// - torch's CPU generator (MT19937): for orders and initial values that must equal HF's for a seed.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace spanforge {

using PhiloxBlock = std::array<uint32_t, 4>;
// One Philox4x32-10 block.
PhiloxBlock philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

// The finaliser of splitmix64, a bijection with full avalanche. For building keys.
constexpr uint64_t mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}
// Mixes another coordinate into a key: combine(combine(seed, step), layer).
constexpr uint64_t combine(uint64_t key, uint64_t value) { return mix64(key ^ mix64(value)); }

// A stream of numbers from one key, for initial weights, shuffles and generated data.
class CounterStream {
 public:
  explicit CounterStream(uint64_t key) : key_(key) {}
  uint32_t next_u32();
  double next_uniform();            // [0, 1), 53 bits
  double next_normal();             // N(0, 1), Box-Muller
  uint64_t next_below(uint64_t n);  // unbiased; n > 0

 private:
  uint64_t key_;
  uint64_t counter_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
};

// The numbers of torch.Generator("cpu"), a MT19937. Source: ATen/CPUGeneratorImpl, TensorFactories.
class TorchGenerator {
 public:
  explicit TorchGenerator(uint64_t seed);
  uint32_t next_u32();
  // The exact 5056 bytes of torch.Generator.get_state(), for rng_state.pth.
  std::string state_bytes() const;

 private:
  void next_state();

  std::array<uint32_t, 624> state_;
  int left_ = 1;     // draws until the state is renewed, as torch counts: the first draw renews it
  size_t next_ = 0;  // the word that the next draw reads
  uint64_t seed_;
};

// torch.randperm(n) with a generator of this seed: the Trainer's order of an epoch (RandomSampler).
std::vector<int64_t> torch_randperm(int64_t n, uint64_t seed);
// A permutation of [0, n) from a counter-based key (Fisher-Yates).
std::vector<int64_t> counter_permutation(int64_t n, uint64_t key);

}  // namespace spanforge
