#pragma once
// What: finds the texts of an array by their contents. A hash table of their numbers (indices): it
//   holds neither the texts nor pointers to them. Each call takes `text_of`, a function from an
//   inserted number to its text.
// Cost: 8 bytes a slot. Made for tables larger than a cache: a step reads one cache line, growth is
//   sequential. The hash is keyed (keyed_hash.h).
// Errors: Error{kInternal} above 3 * 2^30 texts.
// Threads: const methods are concurrent.

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace spanforge {

// A text_of for an array of texts, or for a text of each element: texts_in(examples, &Example::id).
template <class Array, class Projection = std::identity>
auto texts_in(const Array& array, Projection projection = {}) {
  return [&array, projection](size_t i) -> std::string_view {
    static_assert(std::is_reference_v<std::invoke_result_t<const Projection&, decltype(array[i])>>,
                  "a text made for the call would be gone after it");
    return std::invoke(projection, array[i]);
  };
}

class TextIndex {
 public:
  void reserve(size_t texts);
  size_t size() const { return size_; }

  template <class TextOf>
  std::optional<size_t> find(std::string_view text, const TextOf& text_of) const {
    if (size_ == 0) return std::nullopt;
    const Slot& slot = slots_[position_of(text, tag_of(text), text_of)];
    if (slot.is_free()) return std::nullopt;
    return slot.number();
  }

  struct Inserted {
    size_t number;  // the argument, or the number of the equal text inserted before
    bool is_new;
  };
  template <class TextOf>
  Inserted insert(std::string_view text, size_t number, const TextOf& text_of) {
    make_room(number);
    const uint32_t tag = tag_of(text);
    Slot& slot = slots_[position_of(text, tag, text_of)];
    if (!slot.is_free()) return {slot.number(), false};
    slot = {tag, static_cast<uint32_t>(number + 1)};
    ++size_;
    return {number, true};
  }

  // Removes the text if it has this number. text_of() must still know it.
  template <class TextOf>
  void erase(std::string_view text, size_t number, const TextOf& text_of) {
    if (size_ == 0) return;
    const size_t position = position_of(text, tag_of(text), text_of);
    if (!slots_[position].is_free() && slots_[position].number() == number) free_slot(position);
  }

 private:
  struct Slot {
    uint32_t tag = 0;  // a part of the text's hash; a search begins at the slot of its first bits
    uint32_t number_and_one = 0;
    bool is_free() const { return number_and_one == 0; }
    size_t number() const { return size_t{number_and_one} - 1; }
  };

  static uint32_t tag_of(std::string_view text);
  size_t home_of(uint32_t tag) const { return static_cast<size_t>(uint64_t{tag} >> shift_); }
  size_t next(size_t position) const { return (position + 1) & (slots_.size() - 1); }
  void make_room(size_t number);
  void grow(size_t slots);
  void free_slot(size_t position);

  // The slot of the text, or the free slot where it would go.
  template <class TextOf>
  size_t position_of(std::string_view text, uint32_t tag, const TextOf& text_of) const {
    size_t at = home_of(tag);
    for (; !slots_[at].is_free(); at = next(at)) {
      if (slots_[at].tag == tag && text_of(slots_[at].number()) == text) break;
    }
    return at;
  }

  std::vector<Slot> slots_;  // their number is a power of two; at most three quarters are in use
  size_t size_ = 0;
  int shift_ = 32;  // tag >> shift_ is the slot where a search begins
};

}  // namespace spanforge
