#pragma once
// A tensor as files hold it: name, element type, shape, little-endian bytes. Views, not owners: the
// bytes live as long as the file object they came from, or the memory the caller gave a writer.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

// In the order in which safetensors ranks types when it lays out a file.
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

// Product of shape times element size, or nullopt where a dimension is negative or it overflows.
std::optional<uint64_t> stored_bytes(StoredType type, const std::vector<int64_t>& shape);

}  // namespace spanforge
