#pragma once
// What: reads and writes files of torch.save: optimizer.pt, scheduler.pt, rng_state.pth,
//   pytorch_model.bin. Reads the ZIP form (torch >= 1.6) and the legacy form before it (magic
//   number, protocol 1001). Writes the ZIP form (protocol 2, stored entries, 64-byte aligned
//   storages, ZIP64 if needed), which torch.load(weights_only=True) accepts.
// Safety: no code can run. The machine for the pickle knows only data: any global other than
//   tensors, storages, OrderedDict and numpy arrays is an error. The file's size bounds the memory:
//   entries must be uncompressed, shared objects may not unfold to much more, nesting is limited to
//   64.
// Sources: Python's pickletools (opcodes), torch/serialization.py (layout), PKWARE APPNOTE (ZIP).
// Errors: Error{kBadModel, file} for malformed content, Error{kIo, file} from the system.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "spanforge/formats/stored_tensor.h"
#include "spanforge/io/file.h"

namespace spanforge {

struct TorchTensor {
  StoredType type = StoredType::kF32;
  std::vector<int64_t> shape;
  std::string_view bytes;  // row-major, contiguous
  // Writing: the storage that contains `bytes`. Tensors with the same storage share it in the file.
  // Empty: `bytes` is the storage.
  std::string_view storage = {};
  // Reading: owns bytes that are not a view of the file (strided tensors, numpy arrays).
  std::shared_ptr<const std::string> owner = nullptr;
};

struct TorchValue;
using TorchList = std::vector<TorchValue>;
struct TorchTuple {
  TorchList items;
};
// dict, OrderedDict or defaultdict, in insertion order. A later equal key has replaced the earlier.
struct TorchDict {
  std::vector<std::pair<TorchValue, TorchValue>> items;
  void add(TorchValue key, TorchValue value);  // appends. REQUIRES: the key is new
};
struct TorchBytes {
  std::string bytes;
};

// One Python value of a torch file of data: None, bool, int (64 bits), float, str (UTF-8), bytes,
// list, tuple, dict or tensor. Sets and larger ints are refused.
struct TorchValue {
  std::variant<std::monostate, bool, int64_t, double, std::string, TorchBytes, TorchTensor,
               TorchList, TorchTuple, TorchDict>
      data;

  TorchValue() = default;
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, TorchValue>)
      TorchValue(T&& value);  // NOLINT: any of the types above, any integer, const char*

  bool is_none() const { return std::holds_alternative<std::monostate>(data); }
  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&data);
  }
  // The member of a dict with this key; nullptr: absent, or this is not a dict.
  const TorchValue* find(std::string_view key) const;
  const TorchValue* find(int64_t key) const;
  // The items of a list or tuple; nullptr: this is neither.
  const TorchList* sequence() const;
  // The number in an int, float, bool, or tensor or array of one element; nullopt: there is none.
  std::optional<double> number() const;
};

template <class T>
requires(!std::is_same_v<std::remove_cvref_t<T>, TorchValue>) TorchValue::TorchValue(T&& value) {
  using U = std::remove_cvref_t<T>;
  if constexpr (std::is_integral_v<U> && !std::is_same_v<U, bool>) {
    data.emplace<int64_t>(static_cast<int64_t>(value));
  } else if constexpr (std::is_convertible_v<T, std::string_view> &&
                       !std::is_same_v<U, std::string>) {
    data.emplace<std::string>(std::string_view(value));
  } else {
    data.emplace<U>(std::forward<T>(value));
  }
}

class TorchFile {
 public:
  explicit TorchFile(const fs::path& path);
  const TorchValue& root() const { return root_; }
  const fs::path& path() const { return file_.path(); }
  const MappedFile& file() const { return file_; }

 private:
  MappedFile file_;
  TorchValue root_;
};

// The same for bytes in memory; views point into `bytes`.
TorchValue parse_torch_file(std::string_view bytes, const std::string& place);

// The weights of a torch file: its dict or, for a training's checkpoint, the one entry of its dict
// that is a dict of tensors ("state_dict", "model" and the like come before others).
// Errors: Error{kBadModel, place} if the value is not a dict, or several entries may be meant.
struct StateDict {
  const TorchValue& dict;
  std::string entry;  // "": the file's own dict
};
StateDict find_state_dict(const TorchValue& root, const std::string& place);

// The named tensors of a state dict (pytorch_model.bin). Throws if an entry is not a tensor.
std::vector<StoredTensor> state_dict_tensors(const TorchValue& root, const std::string& place);

// Writes the value like torch.save(value, file), and commits the file. Streams storages from their
// views without copying.
void write_torch_file(AtomicFile file, const TorchValue& value);

}  // namespace spanforge
