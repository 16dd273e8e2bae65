#include "spanforge/formats/torch_file.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include <fmt/core.h>

#include "spanforge/base/foreign_content.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/text_index.h"
#include "spanforge/formats/bad_model.h"
#include "spanforge/formats/pickle.h"
#include "spanforge/formats/zip.h"

namespace spanforge {
namespace {

constexpr int kMaxDepth = 64;
// The memory that values may take in addition to the file's size.
constexpr uint64_t kBudgetBytes = uint64_t{48} << 20;

// All bytes saved under a storage's key.
using FindStorage = std::function<std::string_view(const PickleStorage&)>;

// Turns the machine's graph into a tree of values.
class Unfolder {
 public:
  Unfolder(FindStorage find_storage, const std::string& place, MemoryBudget& budget)
      : find_storage_(std::move(find_storage)), place_(place), budget_(budget) {}

  TorchValue unfold(PickleNode* node, int depth = 0) {
    if (depth > kMaxDepth) {
      throw_bad_model(place_,
                      fmt::format("is nested deeper than {} levels, or holds itself", kMaxDepth));
    }
    budget_.charge(sizeof(TorchValue));
    return std::visit([&](auto& value) { return convert(value, depth); }, node->data);
  }

 private:
  TorchValue convert(std::monostate, int) { return {}; }
  TorchValue convert(bool value, int) { return value; }
  TorchValue convert(int64_t value, int) { return value; }
  TorchValue convert(double value, int) { return value; }
  TorchValue convert(std::string_view value, int) {
    budget_.charge(value.size());
    return std::string(value);
  }
  TorchValue convert(const std::string& value, int) {
    budget_.charge(value.size());
    return TorchBytes{value};
  }
  TorchList unfold_all(const std::vector<PickleNode*>& items, int depth) {
    budget_.charge(sizeof(TorchValue) * items.size());
    TorchList out;
    out.reserve(items.size());
    for (PickleNode* item : items) out.push_back(unfold(item, depth + 1));
    return out;
  }
  TorchValue convert(const PickleList& list, int depth) { return unfold_all(list.items, depth); }
  TorchValue convert(const PickleTuple& tuple, int depth) {
    return TorchTuple{unfold_all(tuple.items, depth)};
  }
  TorchValue convert(const PickleDict& dict, int depth);
  TorchValue convert(const PickleGlobal& global, int) { return std::string(global.name); }
  TorchValue convert(const std::unique_ptr<PickleStorage>&, int) {
    throw_bad_model(place_, "holds a bare storage where a tensor belongs");
  }
  TorchValue convert(const std::unique_ptr<PickleTensor>& tensor, int);
  TorchValue convert(PickleNumpyType type, int) { return std::string(stored_type_name(type.type)); }
  TorchValue convert(const std::unique_ptr<PickleArray>& array, int) {
    budget_.charge(array->bytes.size());
    TorchTensor out{array->type, array->shape};
    out.owner = std::make_shared<const std::string>(array->bytes);
    out.bytes = *out.owner;
    return out;
  }

  FindStorage find_storage_;
  const std::string& place_;
  MemoryBudget& budget_;
};

TorchValue Unfolder::convert(const PickleDict& dict, int depth) {
  budget_.charge(2 * sizeof(TorchValue) * dict.items.size());
  TorchDict out;
  TextIndex texts;  // the text keys
  KeyedMap<int64_t, size_t> integers;
  const auto text_at = [&](size_t i) -> std::string_view {
    return *out.items[i].first.get_if<std::string>();
  };
  for (const auto& [key_node, value_node] : dict.items) {
    TorchValue key = unfold(key_node, depth + 1);
    const auto* text = key.get_if<std::string>();
    const auto* integer = key.get_if<int64_t>();
    if (text == nullptr && integer == nullptr) {
      throw_bad_model(place_, "has a dict with a key that is neither a text nor an integer");
    }
    budget_.charge(64 + (text != nullptr ? text->size() : 0));
    const size_t index = text != nullptr
                             ? texts.insert(*text, out.items.size(), text_at).number
                             : integers.try_emplace(*integer, out.items.size()).first->second;
    TorchValue value = unfold(value_node, depth + 1);
    if (index < out.items.size()) {
      out.items[index].second = std::move(value);
    } else {
      out.items.emplace_back(std::move(key), std::move(value));
    }
  }
  return out;
}

struct Layout {
  uint64_t count = 1;   // elements
  uint64_t extent = 0;  // elements from the first to the last, inclusive
  bool contiguous = true;
};

Layout find_layout(const PickleTensor& tensor, const std::string& place) {
  Layout layout;
  const auto overflow = [&] {
    throw_bad_model(place, "has a tensor whose shape or stride is too large");
  };
  uint64_t last = 0;  // index of the last element
  for (size_t d = tensor.shape.size(); d-- > 0;) {
    const auto size = static_cast<uint64_t>(tensor.shape[d]);
    const auto stride = static_cast<uint64_t>(tensor.stride[d]);
    if (size > 1 && stride != layout.count) layout.contiguous = false;
    uint64_t reach = 0;
    if (size > 1 && (__builtin_mul_overflow(size - 1, stride, &reach) ||
                     __builtin_add_overflow(last, reach, &last))) {
      overflow();
    }
    if (__builtin_mul_overflow(layout.count, size, &layout.count)) overflow();
  }
  if (layout.count == 0) {
    layout.contiguous = true;
  } else {
    layout.extent = last + 1;
  }
  return layout;
}

// Copies a strided tensor row-major.
void gather(const PickleTensor& tensor, const char* base, size_t element, size_t dimension,
            std::string& out) {
  if (dimension == tensor.shape.size()) {
    out.append(base, element);
    return;
  }
  for (int64_t i = 0; i < tensor.shape[dimension]; ++i) {
    const auto step = static_cast<size_t>(i * tensor.stride[dimension]) * element;
    gather(tensor, base + step, element, dimension + 1, out);
  }
}

TorchValue Unfolder::convert(const std::unique_ptr<PickleTensor>& tensor, int) {
  const PickleStorage& storage = *tensor->storage;
  const Layout layout = find_layout(*tensor, place_);
  const size_t element = stored_size(tensor->type);
  const std::string_view all = find_storage_(storage);
  uint64_t storage_bytes = 0, first = 0, begin = 0, size = 0, end = 0;
  const bool fits =
      !__builtin_mul_overflow(storage.count, stored_size(storage.type), &storage_bytes) &&
      !__builtin_mul_overflow(storage.offset, stored_size(storage.type), &first) &&
      first <= all.size() && storage_bytes <= all.size() - first &&
      !__builtin_mul_overflow(static_cast<uint64_t>(tensor->offset), element, &begin) &&
      !__builtin_mul_overflow(layout.extent, element, &size) &&
      !__builtin_add_overflow(begin, size, &end) && end <= storage_bytes;
  if (!fits) {
    throw_bad_model(place_, fmt::format("has a tensor that reaches beyond its storage \"{}\"",
                                        quote_for_message(storage.key)));
  }
  budget_.charge(2 * sizeof(int64_t) * tensor->shape.size());
  TorchTensor out{tensor->type, tensor->shape};
  const std::string_view own = all.substr(first, storage_bytes);
  if (layout.contiguous) {
    out.bytes = own.substr(begin, size);
    out.storage = own;
    return out;
  }
  uint64_t copied = 0;
  if (__builtin_mul_overflow(layout.count, element, &copied)) {
    throw_bad_model(place_, "has a tensor whose shape is too large");
  }
  budget_.charge(copied);
  std::string bytes;
  bytes.reserve(copied);
  gather(*tensor, own.data() + begin, element, 0, bytes);
  out.owner = std::make_shared<const std::string>(std::move(bytes));
  out.bytes = *out.owner;
  return out;
}

TorchValue parse_zip_form(std::string_view bytes, const std::string& place) {
  const std::vector<ZipEntry> entries = read_zip(bytes, place);
  const auto pickle = std::find_if(entries.begin(), entries.end(), [](const ZipEntry& entry) {
    return entry.name.ends_with("/data.pkl") &&
           std::count(entry.name.begin(), entry.name.end(), '/') == 1;
  });
  if (pickle == entries.end())
    throw_bad_model(place, "is a ZIP archive without a data.pkl: not a torch file");
  const std::string root = pickle->name.substr(0, pickle->name.size() - 8);  // "archive/"
  KeyedMap<std::string_view, std::string_view> records;
  for (const ZipEntry& entry : entries) {
    if (entry.name.starts_with(root)) {
      records[std::string_view(entry.name).substr(root.size())] = entry.bytes;
    }
  }
  if (const auto order = records.find("byteorder");
      order != records.end() && order->second != "little") {
    throw_bad_model(place, "was saved on a big-endian machine, which is not supported");
  }
  MemoryBudget budget(kBudgetBytes + bytes.size(), place);
  PickleMachine machine(pickle->bytes, place, budget);
  size_t position = 0;
  PickleNode* graph = machine.run(position);
  const auto find_storage = [&](const PickleStorage& storage) {
    const auto it = records.find("data/" + std::string(storage.key));
    if (it == records.end()) {
      throw_bad_model(place, fmt::format("has no storage \"{}\"", quote_for_message(storage.key)));
    }
    return it->second;
  };
  return Unfolder(find_storage, place, budget).unfold(graph);
}

// PROTO 2, LONG1 of 10 bytes with torch's magic number, STOP.
constexpr std::string_view kLegacyMagic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.",
                                        15);

TorchValue parse_legacy_form(std::string_view bytes, const std::string& place) {
  MemoryBudget budget(kBudgetBytes + bytes.size(), place);
  PickleMachine machine(bytes, place, budget);
  size_t position = kLegacyMagic.size();
  const auto* version = machine.run(position)->get_if<int64_t>();
  if (version == nullptr || *version != 1001)
    throw_bad_model(place, "has an unknown torch file version");
  auto* system = machine.run(position)->get_if<PickleDict>();
  if (system == nullptr) throw_bad_model(place, "has no description of its machine");
  for (const auto& [key, value] : system->items) {
    const auto* name = key->get_if<std::string_view>();
    const auto* flag = value->get_if<bool>();
    if (name != nullptr && *name == "little_endian" && (flag == nullptr || !*flag)) {
      throw_bad_model(place, "was saved on a big-endian machine, which is not supported");
    }
  }
  PickleNode* graph = machine.run(position);
  auto* keys = machine.run(position)->get_if<PickleList>();
  if (keys == nullptr) throw_bad_model(place, "has no list of its storages");

  // The storages follow in the order of the keys: a count of elements, then their bytes. Only the
  // pickle that names a storage gives the size of its elements.
  KeyedMap<std::string_view, StoredType> types;
  for (const PickleStorage* storage : machine.storages())
    types.emplace(storage->key, storage->type);
  KeyedMap<std::string_view, std::string_view> storages;
  for (PickleNode* node : keys->items) {
    const auto* key = node->get_if<std::string_view>();
    const auto type = key == nullptr ? types.end() : types.find(*key);
    if (type == types.end()) throw_bad_model(place, "lists a storage that nothing refers to");
    if (bytes.size() - position < 8) throw_bad_model(place, "is truncated before its storages");
    uint64_t count = 0, size = 0;
    std::memcpy(&count, bytes.data() + position, 8);
    position += 8;
    if (__builtin_mul_overflow(count, stored_size(type->second), &size) ||
        size > bytes.size() - position) {
      throw_bad_model(place,
                      fmt::format("is truncated in storage \"{}\"", quote_for_message(*key)));
    }
    storages[*key] = bytes.substr(position, size);
    position += size;
  }
  const auto find_storage = [&](const PickleStorage& storage) {
    const auto it = storages.find(storage.key);
    if (it == storages.end()) {
      throw_bad_model(place, fmt::format("has no storage \"{}\"", quote_for_message(storage.key)));
    }
    return it->second;
  };
  return Unfolder(find_storage, place, budget).unfold(graph);
}

}  // namespace

void TorchDict::add(TorchValue key, TorchValue value) {
  items.emplace_back(std::move(key), std::move(value));
}

const TorchValue* TorchValue::find(std::string_view key) const {
  const auto* dict = get_if<TorchDict>();
  if (dict == nullptr) return nullptr;
  for (const auto& [name, value] : dict->items) {
    const auto* text = name.get_if<std::string>();
    if (text != nullptr && *text == key) return &value;
  }
  return nullptr;
}

const TorchValue* TorchValue::find(int64_t key) const {
  const auto* dict = get_if<TorchDict>();
  if (dict == nullptr) return nullptr;
  for (const auto& [name, value] : dict->items) {
    const auto* number = name.get_if<int64_t>();
    if (number != nullptr && *number == key) return &value;
  }
  return nullptr;
}

const TorchList* TorchValue::sequence() const {
  if (const auto* tuple = get_if<TorchTuple>()) return &tuple->items;
  return get_if<TorchList>();
}

std::optional<double> TorchValue::number() const {
  if (const auto* value = get_if<int64_t>()) return static_cast<double>(*value);
  if (const auto* value = get_if<double>()) return *value;
  if (const auto* value = get_if<bool>()) return *value ? 1.0 : 0.0;
  const auto* tensor = get_if<TorchTensor>();
  if (tensor == nullptr || tensor->bytes.size() != stored_size(tensor->type)) return std::nullopt;
  const auto load = [&](auto value) {
    std::memcpy(&value, tensor->bytes.data(), sizeof value);
    return static_cast<double>(value);
  };
  switch (tensor->type) {
    case StoredType::kF32: return load(float{});
    case StoredType::kF64: return load(double{});
    case StoredType::kI64: return load(int64_t{});
    case StoredType::kI32: return load(int32_t{});
    case StoredType::kU8: return load(uint8_t{});
    default: return std::nullopt;
  }
}

TorchValue parse_torch_file(std::string_view bytes, const std::string& place) {
  if (bytes.starts_with("PK\x03\x04")) return parse_zip_form(bytes, place);
  if (bytes.starts_with(kLegacyMagic)) return parse_legacy_form(bytes, place);
  refuse_foreign_content(bytes, place, ErrorCode::kBadModel);
  throw_bad_model(place, "is not a file of torch.save: neither a ZIP archive nor its older form");
}

namespace {

bool holds_tensors_alone(const TorchValue& value) {
  const auto* dict = value.get_if<TorchDict>();
  return dict != nullptr && !dict->items.empty() &&
         std::all_of(dict->items.begin(), dict->items.end(), [](const auto& item) {
           return item.first.template get_if<std::string>() != nullptr &&
                  item.second.template get_if<TorchTensor>() != nullptr;
         });
}

}  // namespace

TorchFile::TorchFile(const fs::path& path)
    : file_(path),
      root_(while_whole(file_, [&] { return parse_torch_file(file_.bytes(), path.string()); })) {}

StateDict find_state_dict(const TorchValue& root, const std::string& place) {
  const auto* dict = root.get_if<TorchDict>();
  if (dict == nullptr)
    throw_bad_model(place, "is not a state dict: its value is not a dict of tensors");
  std::vector<StateDict> found;
  for (const auto& [key, value] : dict->items) {
    if (value.get_if<TorchTensor>() != nullptr) return {root, ""};
    const auto* name = key.get_if<std::string>();
    if (name != nullptr && holds_tensors_alone(value)) found.push_back({value, *name});
  }
  if (found.empty()) return {root, ""};
  if (found.size() == 1) return found.front();
  for (const char* usual : {"state_dict", "model_state_dict", "model", "module"}) {
    for (const StateDict& candidate : found) {
      if (candidate.entry == usual) return candidate;
    }
  }
  throw_bad_model(
      place,
      fmt::format("holds several dicts of tensors, \"{}\" and \"{}\" among them: save the one "
                  "that is the model's",
                  quote_for_message(found[0].entry), quote_for_message(found[1].entry)));
}

std::vector<StoredTensor> state_dict_tensors(const TorchValue& root, const std::string& place) {
  const auto* dict = root.get_if<TorchDict>();
  if (dict == nullptr)
    throw_bad_model(place, "is not a state dict: its value is not a dict of tensors");
  std::vector<StoredTensor> tensors;
  for (const auto& [key, value] : dict->items) {
    const auto* name = key.get_if<std::string>();
    const auto* tensor = value.get_if<TorchTensor>();
    if (name == nullptr || tensor == nullptr) {
      throw_bad_model(place,
                      fmt::format("is not a state dict: the entry {} is not a tensor",
                                  name != nullptr ? quote_for_message(*name) : "of a number"));
    }
    tensors.push_back({*name, tensor->type, tensor->shape, tensor->bytes});
  }
  return tensors;
}

}  // namespace spanforge
