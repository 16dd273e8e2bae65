#pragma once
// A machine for the data opcodes of Python's pickle (protocols 2 to 5) with torch's persistent
// storages. It knows no classes but a fixed list, each of which makes plain data here; any other
// global is an error. Source: the opcode descriptions in Python's pickletools.
// Its result is a graph (objects may be shared, even with themselves); torch_file.cpp turns it into
// a tree. Internal to formats/.

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/formats/stored_tensor.h"

namespace spanforge {

// Counts memory that reading a file may take beyond the file itself, so that a small file cannot
// ask for much of it.
class MemoryBudget {
 public:
  MemoryBudget(uint64_t bytes, std::string place) : left_(bytes), place_(std::move(place)) {}
  void charge(uint64_t bytes) {
    if (bytes > left_) {
      throw Error(ErrorCode::kBadModel, place_, "unfolds to far more than its size: refused");
    }
    left_ -= bytes;
  }

 private:
  uint64_t left_;
  std::string place_;
};

struct PickleNode;

struct PickleGlobal {
  std::string_view name;  // "module attribute", one of the allowed
};
struct PickleList {
  std::vector<PickleNode*> items;
};
struct PickleTuple {
  std::vector<PickleNode*> items;
};
struct PickleDict {
  std::vector<std::pair<PickleNode*, PickleNode*>> items;
};
struct PickleStorage {
  std::string_view key;
  StoredType type;
  uint64_t count;       // elements of `type`
  uint64_t offset = 0;  // elements; where a legacy storage begins in the one the key names
};
struct PickleTensor {
  const PickleStorage* storage;
  StoredType type;
  int64_t offset;  // elements
  std::vector<int64_t> shape, stride;
};
struct PickleNumpyType {
  StoredType type = StoredType::kU8;
};
struct PickleArray {  // a numpy array; without elements until its state is set
  StoredType type = StoredType::kU8;
  std::vector<int64_t> shape = {0};
  std::string bytes;
};
struct PickleNode {
  std::variant<std::monostate, bool, int64_t, double, std::string_view, std::string, PickleList,
               PickleTuple, PickleDict, PickleGlobal, std::unique_ptr<PickleStorage>,
               std::unique_ptr<PickleTensor>, PickleNumpyType, std::unique_ptr<PickleArray>>
      data;  // string_view: a text, UTF-8, in the file; string: bytes
  template <class T>
  T* get_if() {
    return std::get_if<T>(&data);
  }
};

class PickleMachine {
 public:
  // Texts of the result are views into `bytes`.
  PickleMachine(std::string_view bytes, const std::string& place, MemoryBudget& budget);
  ~PickleMachine();
  // Runs one pickle from `position`, which moves behind it. The result lives with this object.
  PickleNode* run(size_t& position);
  // Every storage that was named, in order.
  const std::vector<const PickleStorage*>& storages() const { return storages_; }

 private:
  class Run;
  std::string_view bytes_;
  const std::string& place_;
  MemoryBudget& budget_;
  std::deque<PickleNode> nodes_;
  std::vector<const PickleStorage*> storages_;
};

// Storage classes and dtypes by name: "FloatStorage" and "float32" -> kF32 ...
std::optional<StoredType> find_torch_storage_type(std::string_view class_name);
std::string_view torch_storage_name(StoredType type);

}  // namespace spanforge
