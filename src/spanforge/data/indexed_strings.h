#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <unordered_set>

namespace spanforge {

// Finds equal strings among those of a growing vector without keeping them twice.
template <class View>
class IndexedStrings {
 public:
  explicit IndexedStrings(View view) : indices_(16, Hash{view}, Equal{view}) {}
  std::optional<size_t> find(std::string_view text) const {
    const auto at = indices_.find(text);
    if (at == indices_.end()) return std::nullopt;
    return *at;
  }
  void insert(size_t index) { indices_.insert(index); }
  void erase(size_t index) { indices_.erase(index); }

 private:
  struct Hash {
    using is_transparent = void;
    View view;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    size_t operator()(size_t index) const { return (*this)(view(index)); }
  };
  struct Equal {
    using is_transparent = void;
    View view;
    bool operator()(size_t a, size_t b) const { return a == b; }
    bool operator()(std::string_view a, size_t b) const { return a == view(b); }
    bool operator()(size_t a, std::string_view b) const { return b == view(a); }
  };
  std::unordered_set<size_t, Hash, Equal> indices_;
};

}  // namespace spanforge
