#pragma once

namespace spanforge {

// What the linear layers compute in. Sums, norms and softmax are f32 in both.
enum class Precision { kF32, kBF16 };

}  // namespace spanforge
