#pragma once
// The hash for every table whose keys may come from an untrusted file. std::hash is the same in
// every process, so an attacker can choose n keys of one bucket, which cost n * n steps. This hash
// depends on a random key that each process draws. The order of such a table differs from run to
// run: do not depend on it. TextIndex (text_index.h) is smaller and faster if the values are
// indices of an array that holds the keys.

#include <cstdint>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace spanforge {

// Throws Error{kInternal} if the system gives no random numbers.
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

// Keys: texts (std::string or std::string_view finds them), integers, and pairs of these.
template <class Key, class Value>
using KeyedMap = std::unordered_map<Key, Value, KeyedHash, std::equal_to<>>;
template <class Key>
using KeyedSet = std::unordered_set<Key, KeyedHash, std::equal_to<>>;

}  // namespace spanforge
