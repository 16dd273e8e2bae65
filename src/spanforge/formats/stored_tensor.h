#pragma once
// A tensor in a file: name, element type, shape, little-endian bytes. A view, not an owner: the
//   bytes
// belong to the file object that was read, or to the caller of a writer.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

// In safetensors' order of types in a file.
enum class StoredType {
  kBool,
  kU8,
  kI8,
  kF8E5m2,
  kF8E4m3,
  kI16,
  kU16,
  kF16,
  kBf16,
  kI32,
  kU32,
  kF32,
  kF64,
  kI64,
  kU64,
};

size_t stored_size(StoredType type);                 // bytes of one element
std::string_view stored_type_name(StoredType type);  // safetensors' name: "F32", "BF16", "I64" ...
std::optional<StoredType> find_stored_type(std::string_view name);

struct StoredTensor {
  std::string name;
  StoredType type = StoredType::kF32;
  std::vector<int64_t> shape;  // empty: one element; zero dimensions are legal
  std::string_view bytes;      // row-major, contiguous; not necessarily aligned to the element
};

// The product of shape and element size; nullopt: a dimension is negative, or the product
// overflows.
std::optional<uint64_t> stored_bytes(StoredType type, const std::vector<int64_t>& shape);

}  // namespace spanforge
