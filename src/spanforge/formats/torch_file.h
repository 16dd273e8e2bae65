#pragma once
// Files of torch.save: optimizer.pt, scheduler.pt, rng_state.pth, pytorch_model.bin.
// What: a reader of the ZIP form (torch >= 1.6) and of the legacy form before it (magic number,
// protocol 1001), and a writer of the ZIP form (protocol 2, stored entries, 64-byte aligned
// storages, ZIP64 where needed) that torch.load(weights_only=True) accepts.
// Safety: the pickle inside is run by a machine that knows only data: an allow-list of globals
// (tensors, storages, OrderedDict, numpy arrays), everything else is an error naming the global. No
// code can run. Memory is bounded by the file's size: entries must be stored uncompressed, shared
// objects that would unfold without end are refused, nesting is limited to 64.
// Sources: Python's pickletools (opcodes), torch/serialization.py (layout), PKWARE APPNOTE (ZIP).
// Errors: Error{kBadModel, file} for what is wrong inside, Error{kIo, file} from the system.

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
  // Writing: the storage that `bytes` lies in; tensors that name the same storage share it in the
  // file. Empty: `bytes` is a storage of its own.
  std::string_view storage = {};
  // Reading: keeps bytes alive that are no view of the file (strided tensors, numpy arrays).
  std::shared_ptr<const std::string> owner = nullptr;
};

struct TorchValue;
using TorchList = std::vector<TorchValue>;
struct TorchTuple {
  TorchList items;
};
// dict, OrderedDict and defaultdict; insertion order; a later equal key has replaced the earlier.
struct TorchDict {
  std::vector<std::pair<TorchValue, TorchValue>> items;
  void add(TorchValue key, TorchValue value);  // appends; equal keys are the caller's matter
};
struct TorchBytes {
  std::string bytes;
};

// One Python value. Holds exactly what a torch file of data can: None, bool, int (64 bits), float,
// str (UTF-8), bytes, list, tuple, dict, tensor. A set is refused, an int beyond 64 bits too.
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
  // The member of a dict with this key; nullptr when absent or when this is no dict.
  const TorchValue* find(std::string_view key) const;
  const TorchValue* find(int64_t key) const;
  // Items of a list or a tuple; nullptr for anything else.
  const TorchList* sequence() const;
  // A number as double, from int, float, bool or a tensor/array of one element; nullopt otherwise.
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

// The same from memory; views point into `bytes`.
TorchValue parse_torch_file(std::string_view bytes, const std::string& place);

// The weights of a torch file: its dict, or, in a training's checkpoint, the one entry of that dict
// that is a dict of tensors ("state_dict", "model" and the like are taken before others).
// Errors: Error{kBadModel, place} where the value is no dict, or several entries could be meant.
struct StateDict {
  const TorchValue& dict;
  std::string entry;  // "": the file's own dict
};
StateDict find_state_dict(const TorchValue& root, const std::string& place);

// The named tensors of a state dict (pytorch_model.bin): entries that are not tensors are an error.
std::vector<StoredTensor> state_dict_tensors(const TorchValue& root, const std::string& place);

// What torch.save(value, file) writes, and commits the file. Storages are streamed from their
// views, never copied.
void write_torch_file(AtomicFile file, const TorchValue& value);

}  // namespace spanforge
