#pragma once
// What: a machine for the data opcodes of Python's pickle (protocols 2 to 5) with torch's
//   persistent storages. It knows only a fixed list of classes, each of which makes plain data
//   here; any other global is an error. Internal to formats/.
// Result: a graph, since objects may be shared and may even hold themselves. torch_file.cpp turns
//   it into a tree.
// Source: the opcode descriptions in Python's pickletools.

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

// Limits the memory that reading a file may take in addition to the file, so that a small file
// cannot ask for much.
class MemoryBudget {
 public:
  MemoryBudget(uint64_t bytes, std::string place) : left_(bytes), place_(std::move(place)) {}
  void charge(uint64_t bytes) {
    if (bytes > left_) {
      throw Error(ErrorCode::kBadModel, place_, "its values take far more memory than the file");
    }
    left_ -= bytes;
  }

 private:
  uint64_t left_;
  std::string place_;
};

struct PickleNode;

struct PickleGlobal {
  std::string_view name;  // "module attribute", from the list of allowed ones
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
  uint64_t offset = 0;  // elements; the start of a legacy storage in the storage of `key`
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
struct PickleArray {  // a numpy array; has no elements until its state is set
  StoredType type = StoredType::kU8;
  std::vector<int64_t> shape = {0};
  std::string bytes;
};
struct PickleNode {
  std::variant<std::monostate, bool, int64_t, double, std::string_view, std::string, PickleList,
               PickleTuple, PickleDict, PickleGlobal, std::unique_ptr<PickleStorage>,
               std::unique_ptr<PickleTensor>, PickleNumpyType, std::unique_ptr<PickleArray>>
      data;  // string_view: a UTF-8 text in the file; string: bytes
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
  // Runs one pickle from `position` and moves that after it. The result lives as long as this
  // object.
  PickleNode* run(size_t& position);
  // All storages that the pickle names, in order.
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
