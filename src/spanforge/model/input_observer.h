#pragma once

#include <cstddef>
#include <functional>

namespace spanforge {

enum class BlockLinear : size_t;
struct Tensor;

// Sees the input of every linear layer of the blocks. block: the one whose weights multiply it.
using InputObserver = std::function<void(size_t block, BlockLinear linear, const Tensor& x)>;

}  // namespace spanforge
