#pragma once
// The hash of every table whose keys may come from a stranger's file. std::hash is the same in
// every process (and for integers the integer itself), so keys can be made that all fall into one
// bucket, and n of them cost n * n steps. This one depends on a key drawn when the process starts.
// The order of a table that uses it differs from run to run: nothing may depend on it.
// Where a table's values are indices of an array that holds the keys, TextIndex (text_index.h) is
// smaller and faster.

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace spanforge {

// Throws Error{kInternal} where the system has no random numbers to give.
uint64_t keyed_hash(std::string_view bytes);

struct KeyedHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return keyed_hash(text); }
  size_t operator()(std::u32string_view text) const {
    return keyed_hash({reinterpret_cast<const char*>(text.data()), text.size() * sizeof text[0]});
  }
  size_t operator()(uint64_t number) const {
    return keyed_hash({reinterpret_cast<const char*>(&number), sizeof number});
  }
  template <class First, class Second>
  size_t operator()(const std::pair<First, Second>& pair) const {
    return (*this)(pair.first) * 31 + (*this)(pair.second);
  }
};

// Keys: texts (found by any kind of text), integers, pairs of them.
template <class Key, class Value>
using KeyedMap = std::unordered_map<Key, Value, KeyedHash, std::equal_to<>>;
template <class Key>
using KeyedSet = std::unordered_set<Key, KeyedHash, std::equal_to<>>;

}  // namespace spanforge
