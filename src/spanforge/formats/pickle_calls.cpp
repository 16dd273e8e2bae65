#include "spanforge/formats/pickle_calls.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/core.h>

#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

enum class Call {
  kNone,  // a name that is never called: a default factory, a dtype, a storage class
  kDict,
  kTensor,
  kTensorV3,
  kParameter,
  kSize,
  kDevice,
  kEncode,
  kBytes,
  kArray,
  kScalar,
  kNumpyType,
};

struct GlobalRow {
  std::string_view module, name;
  Call call;
};
constexpr std::array kGlobals = {
    GlobalRow{"collections", "OrderedDict", Call::kDict},
    GlobalRow{"collections", "defaultdict", Call::kDict},
    GlobalRow{"builtins", "dict", Call::kDict},
    GlobalRow{"builtins", "list", Call::kNone},
    GlobalRow{"builtins", "int", Call::kNone},
    GlobalRow{"builtins", "float", Call::kNone},
    GlobalRow{"builtins", "bytes", Call::kBytes},
    GlobalRow{"_codecs", "encode", Call::kEncode},
    GlobalRow{"torch._utils", "_rebuild_tensor", Call::kTensor},
    GlobalRow{"torch._utils", "_rebuild_tensor_v2", Call::kTensor},
    GlobalRow{"torch._utils", "_rebuild_tensor_v3", Call::kTensorV3},
    GlobalRow{"torch._utils", "_rebuild_parameter", Call::kParameter},
    GlobalRow{"torch", "Size", Call::kSize},
    GlobalRow{"torch", "device", Call::kDevice},
    GlobalRow{"numpy", "ndarray", Call::kNone},
    GlobalRow{"numpy", "dtype", Call::kNumpyType},
    GlobalRow{"numpy.core.multiarray", "_reconstruct", Call::kArray},
    GlobalRow{"numpy._core.multiarray", "_reconstruct", Call::kArray},
    GlobalRow{"numpy.core.multiarray", "scalar", Call::kScalar},
    GlobalRow{"numpy._core.multiarray", "scalar", Call::kScalar},
};

Call call_of(std::string_view name) {
  for (const GlobalRow& row : kGlobals) {
    if (row.name == name) return row.call;
  }
  return Call::kNone;
}

// numpy's type codes, without the byte order before them.
std::optional<StoredType> find_numpy_type(std::string_view code) {
  constexpr std::array<std::pair<std::string_view, StoredType>, 12> kCodes = {{
      {"b1", StoredType::kBool},
      {"u1", StoredType::kU8},
      {"i1", StoredType::kI8},
      {"i2", StoredType::kI16},
      {"u2", StoredType::kU16},
      {"f2", StoredType::kF16},
      {"i4", StoredType::kI32},
      {"u4", StoredType::kU32},
      {"f4", StoredType::kF32},
      {"f8", StoredType::kF64},
      {"i8", StoredType::kI64},
      {"u8", StoredType::kU64},
  }};
  for (const auto& [name, type] : kCodes) {
    if (name == code) return type;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_pickle_global(std::string_view module, std::string_view name) {
  if (module == "__builtin__") module = "builtins";  // Python 2's name, which protocol 2 uses
  for (const GlobalRow& row : kGlobals) {
    if (row.module == module && row.name == name) return row.name;
  }
  const bool torch_type = module == "torch" || module == "torch.cuda" || module == "torch.storage";
  if (torch_type && find_torch_storage_type(name)) return name;
  return std::nullopt;
}

void PickleCalls::fail(const std::string& what) const {
  throw Error(ErrorCode::kBadModel, place_, fmt::format("pickle byte {}: {}", position_, what));
}

const PickleCalls::Arguments& PickleCalls::tuple(PickleNode* node, size_t least,
                                                 std::string_view what) const {
  const auto* value = node->get_if<PickleTuple>();
  if (value == nullptr || value->items.size() < least) {
    fail(fmt::format("{} must be a tuple of at least {}", what, least));
  }
  return value->items;
}

int64_t PickleCalls::integer(PickleNode* node, std::string_view what) const {
  const auto* value = node->get_if<int64_t>();
  if (value == nullptr) fail(fmt::format("{} must be an integer", what));
  return *value;
}

std::string_view PickleCalls::text(PickleNode* node, std::string_view what) const {
  const auto* value = node->get_if<std::string_view>();
  if (value == nullptr) fail(fmt::format("{} must be a text", what));
  return *value;
}

std::vector<int64_t> PickleCalls::sizes(PickleNode* node, std::string_view what) const {
  constexpr size_t kMaxRank = 64;
  const Arguments& items = tuple(node, 0, what);
  if (items.size() > kMaxRank) fail(fmt::format("{} has {} dimensions", what, items.size()));
  std::vector<int64_t> out;
  for (PickleNode* item : items) {
    out.push_back(integer(item, what));
    if (out.back() < 0) fail(fmt::format("{} is negative", what));
  }
  budget_.charge(sizeof(int64_t) * out.size());
  return out;
}

PickleNode PickleCalls::rebuild_tensor(const Arguments& arguments, bool has_dtype) const {
  const size_t least = has_dtype ? 7 : 4;
  if (arguments.size() < least) fail("a tensor with too few arguments");
  const auto* storage = arguments[0]->get_if<std::unique_ptr<PickleStorage>>();
  if (storage == nullptr) fail("a tensor without a storage");
  budget_.charge(sizeof(PickleTensor));
  auto tensor = std::make_unique<PickleTensor>();
  tensor->storage = storage->get();
  tensor->type = tensor->storage->type;
  tensor->offset = integer(arguments[1], "a tensor's offset");
  tensor->shape = sizes(arguments[2], "a tensor's shape");
  tensor->stride = sizes(arguments[3], "a tensor's stride");
  if (tensor->offset < 0) fail("a tensor's offset is negative");
  if (tensor->shape.size() != tensor->stride.size()) fail("a tensor's shape and stride disagree");
  if (has_dtype) {
    const auto* dtype = arguments[6]->get_if<PickleGlobal>();
    const auto type = dtype != nullptr ? find_torch_storage_type(dtype->name) : std::nullopt;
    if (!type) fail("a tensor whose dtype is unknown");
    tensor->type = *type;
  }
  return {std::move(tensor)};
}

// _codecs.encode(text, "latin1"): how protocol 2 writes bytes.
PickleNode PickleCalls::encode(const Arguments& arguments) const {
  if (arguments.size() != 2 || text(arguments[1], "an encoding") != "latin1") {
    fail("bytes that are not encoded as latin1");
  }
  const std::string_view source = text(arguments[0], "encoded bytes");
  budget_.charge(source.size());
  std::string bytes;
  for (size_t pos = 0; pos < source.size();) {
    const char32_t c = next_code_point(source, pos);
    if (c > 0xFF) fail("encoded bytes hold a character above U+00FF");
    bytes += static_cast<char>(static_cast<unsigned char>(c));
  }
  return {std::move(bytes)};
}

PickleNode PickleCalls::numpy_type(const Arguments& arguments) const {
  if (arguments.empty()) fail("a numpy type without a name");
  std::string_view code = text(arguments[0], "a numpy type");
  if (code.starts_with('<') || code.starts_with('|')) code.remove_prefix(1);
  const auto type = find_numpy_type(code);
  if (!type) fail(fmt::format("the numpy type \"{}\" is not supported", quote_for_message(code)));
  return {PickleNumpyType{*type}};
}

PickleNode PickleCalls::numpy_scalar(const Arguments& arguments) const {
  if (arguments.size() != 2) fail("a numpy number must have a type and bytes");
  const auto* type = arguments[0]->get_if<PickleNumpyType>();
  const auto* bytes = arguments[1]->get_if<std::string>();
  if (type == nullptr || bytes == nullptr || bytes->size() != stored_size(type->type)) {
    fail("a numpy number must have a type and bytes");
  }
  const auto load = [&](auto value) {
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
  };
  switch (type->type) {
    case StoredType::kF64: return {load(double{})};
    case StoredType::kF32: return {static_cast<double>(load(float{}))};
    case StoredType::kI64: return {load(int64_t{})};
    case StoredType::kI32: return {static_cast<int64_t>(load(int32_t{}))};
    case StoredType::kU32: return {static_cast<int64_t>(load(uint32_t{}))};
    case StoredType::kBool: return {load(uint8_t{}) != 0};
    default: fail("a numpy number of a type that is not supported");
  }
}

PickleNode PickleCalls::reduce(PickleNode* function, PickleNode* argument_node) {
  const auto* global = function->get_if<PickleGlobal>();
  if (global == nullptr) fail("calls something other than a function");
  const Arguments& arguments = tuple(argument_node, 0, "the arguments of a call");
  switch (call_of(global->name)) {
    case Call::kDict: {
      // Items follow later, one by one. An argument is a defaultdict's factory or an empty list.
      const bool plain = arguments.empty() || arguments[0]->get_if<PickleGlobal>() != nullptr ||
                         arguments[0]->get_if<std::monostate>() != nullptr;
      const auto* list = plain ? nullptr : arguments[0]->get_if<PickleList>();
      if (!plain && list == nullptr) fail("a dict made from something other than a list");
      PickleDict dict;
      if (list != nullptr) {  // Python 2's form: a list of [key, value]
        budget_.charge(2 * sizeof(PickleNode*) * list->items.size());
        for (PickleNode* item : list->items) {
          const auto* pair = item->get_if<PickleList>();
          if (pair == nullptr || pair->items.size() != 2) fail("a dict made from other than pairs");
          dict.items.emplace_back(pair->items[0], pair->items[1]);
        }
      }
      return {std::move(dict)};
    }
    case Call::kTensor: return rebuild_tensor(arguments, false);
    case Call::kTensorV3: return rebuild_tensor(arguments, true);
    case Call::kParameter: {
      if (arguments.empty()) fail("a parameter without a tensor");
      const auto* tensor = arguments[0]->get_if<std::unique_ptr<PickleTensor>>();
      if (tensor == nullptr) fail("a parameter without a tensor");
      budget_.charge(sizeof(PickleTensor) + 2 * sizeof(int64_t) * (*tensor)->shape.size());
      return {std::make_unique<PickleTensor>(**tensor)};
    }
    case Call::kSize: {
      if (arguments.size() != 1) fail("a size must have one argument");
      const Arguments& items = tuple(arguments[0], 0, "a size");
      budget_.charge(sizeof(PickleNode*) * items.size());
      return {PickleTuple{items}};
    }
    case Call::kDevice: {
      if (arguments.empty()) fail("a device without a name");
      return {text(arguments[0], "a device")};
    }
    case Call::kEncode: return encode(arguments);
    case Call::kBytes:
      if (!arguments.empty()) fail("bytes with an argument");
      return {std::string()};
    case Call::kArray:
      budget_.charge(sizeof(PickleArray));
      return {std::make_unique<PickleArray>()};
    case Call::kScalar: return numpy_scalar(arguments);
    case Call::kNumpyType: return numpy_type(arguments);
    case Call::kNone: break;
  }
  fail(fmt::format("calls {}, which may not be called", global->name));
}

void PickleCalls::set_array(PickleArray& array, PickleNode* state) const {
  const Arguments& items = tuple(state, 5, "a numpy array's state");
  const auto* type = items[2]->get_if<PickleNumpyType>();
  const auto* fortran = items[3]->get_if<bool>();
  const auto* bytes = items[4]->get_if<std::string>();
  if (type == nullptr || fortran == nullptr || bytes == nullptr) {
    fail("a numpy array whose state is not (version, shape, type, order, bytes)");
  }
  array.type = type->type;
  array.shape = sizes(items[1], "a numpy array's shape");
  if (*fortran && array.shape.size() > 1) fail("a numpy array in column order is not supported");
  if (stored_bytes(array.type, array.shape) != bytes->size()) {
    fail("a numpy array whose shape and size disagree");
  }
  budget_.charge(bytes->size());
  array.bytes = *bytes;
}

void PickleCalls::build(PickleNode* object, PickleNode* state) {
  if (auto* array = object->get_if<std::unique_ptr<PickleArray>>())
    return set_array(**array, state);
  if (object->get_if<PickleNumpyType>() != nullptr) {  // (version, byte order, ...)
    if (text(tuple(state, 2, "a numpy type's state")[1], "a byte order") == ">") {
      fail("a big-endian numpy array is not supported");
    }
    return;
  }
  // Attributes of an OrderedDict (a state dict's _metadata) are not data.
  if (object->get_if<PickleDict>() != nullptr) return;
  fail("sets attributes of something without attributes");
}

PickleNode PickleCalls::persistent(PickleNode* id) {
  const Arguments& items = tuple(id, 5, "a storage");
  if (text(items[0], "a persistent id") != "storage") fail("a persistent id other than a storage");
  const auto* global = items[1]->get_if<PickleGlobal>();
  const auto type = global != nullptr ? find_torch_storage_type(global->name) : std::nullopt;
  if (!type) fail("a storage of an unknown type");
  budget_.charge(sizeof(PickleStorage));
  auto storage = std::make_unique<PickleStorage>();
  storage->key = text(items[2], "a storage's key");
  storage->type = *type;
  const int64_t count = integer(items[4], "a storage's size");
  if (count < 0) fail("a storage's size is negative");
  storage->count = static_cast<uint64_t>(count);
  const bool has_view = items.size() > 5 && items[5]->get_if<std::monostate>() == nullptr;
  if (has_view) {  // (key, offset, size): a part of the saved storage
    const Arguments& view = tuple(items[5], 3, "a storage's view");
    const int64_t offset = integer(view[1], "a view's offset");
    const int64_t size = integer(view[2], "a view's size");
    if (offset < 0 || size < 0) fail("a storage's view is negative");
    storage->offset = static_cast<uint64_t>(offset);
    storage->count = static_cast<uint64_t>(size);
  }
  return {std::move(storage)};
}

}  // namespace spanforge
