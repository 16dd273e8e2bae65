#pragma once
// What: maps tokens to ids and back. Ids may have gaps.
// Errors: add() throws Error{kBadModel, place} for a repeated token or id, and an id out of range.
// Threads: const methods are concurrent.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/base/text_index.h"

namespace spanforge {

class Vocabulary {
 public:
  static constexpr int64_t kMaxId = (1 << 22) - 1;  // limits the memory that a file can ask for
  // Limits the time for a text: at each character, a token is followed as far as it matches. No
  // real vocabulary has longer tokens.
  static constexpr size_t kMaxTokenBytes = 1024;

  void reserve(size_t tokens);
  void add(std::string_view token, int64_t id, const ErrorPlace& place);
  std::optional<int32_t> find(std::string_view token) const;
  // "": there is no such id, or the token is empty (see has_id()). Valid until the next add(), also
  // after a move of the vocabulary.
  std::string_view token(int32_t id) const {
    return has_id(id) ? token_at(static_cast<size_t>(id)) : std::string_view();
  }
  bool has_id(int32_t id) const {
    return id >= 0 && id < id_limit() && places_[static_cast<size_t>(id)].length_and_one != 0;
  }
  size_t size() const { return index_.size(); }                              // tokens
  int32_t id_limit() const { return static_cast<int32_t>(places_.size()); }  // highest id + 1

 private:
  struct Place {  // of a token in bytes_
    uint32_t begin = 0;
    uint32_t length_and_one = 0;  // 0: there is no such id
  };
  static_assert((kMaxId + 1) * kMaxTokenBytes <= int64_t{1} << 32);
  std::string_view token_at(size_t id) const {
    return {bytes_.data() + places_[id].begin, size_t{places_[id].length_and_one} - 1};
  }
  auto token_of() const {
    return [this](size_t id) { return token_at(id); };
  }

  std::vector<char> bytes_;    // of all tokens
  std::vector<Place> places_;  // [id]
  TextIndex index_;            // token -> id
};

}  // namespace spanforge
