#pragma once
// Calls the allowed globals of a pickle. Internal to formats/.

#include <optional>
#include <string>
#include <string_view>

#include "spanforge/formats/pickle.h"

namespace spanforge {

// The canonical name ("torch FloatStorage") of an allowed global; nullopt for all others.
std::optional<std::string_view> find_pickle_global(std::string_view module, std::string_view name);

class PickleCalls {
 public:
  PickleCalls(const std::string& place, size_t position, MemoryBudget& budget)
      : place_(place), position_(position), budget_(budget) {}

  PickleNode reduce(PickleNode* function, PickleNode* arguments);
  void build(PickleNode* object, PickleNode* state);
  // torch's ("storage", class, key, location, count[, view]).
  PickleNode persistent(PickleNode* id);

 private:
  using Arguments = std::vector<PickleNode*>;

  [[noreturn]] void fail(const std::string& what) const;
  const Arguments& tuple(PickleNode* node, size_t least, std::string_view what) const;
  int64_t integer(PickleNode* node, std::string_view what) const;
  std::string_view text(PickleNode* node, std::string_view what) const;
  std::vector<int64_t> sizes(PickleNode* node, std::string_view what) const;
  PickleNode rebuild_tensor(const Arguments& arguments, bool has_dtype) const;
  PickleNode encode(const Arguments& arguments) const;
  PickleNode numpy_type(const Arguments& arguments) const;
  PickleNode numpy_scalar(const Arguments& arguments) const;
  void set_array(PickleArray& array, PickleNode* state) const;

  const std::string& place_;
  size_t position_;
  MemoryBudget& budget_;
};

}  // namespace spanforge
