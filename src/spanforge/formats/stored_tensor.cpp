#include "spanforge/formats/stored_tensor.h"

#include <array>

namespace spanforge {
namespace {

struct TypeRow {
  StoredType type;
  size_t size;
  std::string_view name;
};
constexpr std::array<TypeRow, 15> kTypes = {{
    {StoredType::kBool, 1, "BOOL"},
    {StoredType::kU8, 1, "U8"},
    {StoredType::kI8, 1, "I8"},
    {StoredType::kF8E5m2, 1, "F8_E5M2"},
    {StoredType::kF8E4m3, 1, "F8_E4M3"},
    {StoredType::kI16, 2, "I16"},
    {StoredType::kU16, 2, "U16"},
    {StoredType::kF16, 2, "F16"},
    {StoredType::kBf16, 2, "BF16"},
    {StoredType::kI32, 4, "I32"},
    {StoredType::kU32, 4, "U32"},
    {StoredType::kF32, 4, "F32"},
    {StoredType::kF64, 8, "F64"},
    {StoredType::kI64, 8, "I64"},
    {StoredType::kU64, 8, "U64"},
}};

}  // namespace

size_t stored_size(StoredType type) { return kTypes[static_cast<size_t>(type)].size; }

std::string_view stored_type_name(StoredType type) {
  return kTypes[static_cast<size_t>(type)].name;
}

std::optional<StoredType> find_stored_type(std::string_view name) {
  for (const TypeRow& row : kTypes) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

std::optional<uint64_t> stored_bytes(StoredType type, const std::vector<int64_t>& shape) {
  uint64_t total = stored_size(type);
  for (int64_t dimension : shape) {
    if (dimension < 0) return std::nullopt;
    if (__builtin_mul_overflow(total, static_cast<uint64_t>(dimension), &total))
      return std::nullopt;
  }
  return total;
}

}  // namespace spanforge
