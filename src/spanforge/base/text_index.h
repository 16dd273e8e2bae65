#pragma once
// Finds the texts of an array by their contents: a table of their numbers (indices), 8 bytes a
// slot, that holds neither the texts nor pointers to them. `text_of` is given at each call: number
// -> text, valid for the numbers inserted. Tables that are larger than a cache are what this is for
// (one line of memory a step, sequential growth); its hash is keyed (keyed_hash.h). At most 3 *
// 2^30 texts; Error{kInternal} beyond. Const methods are concurrent.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace spanforge {

// A text_of: the texts of an array, or a text of each element, as texts_in(examples, &Example::id).
template <class Array, class Projection = std::identity>
auto texts_in(const Array& array, Projection projection = {}) {
  return [&array, projection](size_t i) -> std::string_view {
    static_assert(std::is_reference_v<std::invoke_result_t<const Projection&, decltype(array[i])>>,
                  "a text made for the call would be gone behind it");
    return std::invoke(projection, array[i]);
  };
}

class TextIndex {
 public:
  void reserve(size_t texts);
  size_t size() const { return size_; }

  // A text whose hash is known; any text becomes one.
  struct Hashed {
    template <class Text>
    requires std::is_convertible_v<const Text&, std::string_view> Hashed(const Text& of)
        : text(of), tag(tag_of(text)) {}
    Hashed() = default;
    std::string_view text;
    uint32_t tag = 0;
  };
  // The texts of an array in their order, for a loop that inserts or finds each: their hashes are
  // taken some steps ahead and their slots asked for, so that in a table larger than a cache one
  // step does not wait for memory after the other. Of use where the index has its slots already:
  // reserve() first.
  template <class TextOf>
  class Ahead;

  template <class TextOf>
  std::optional<size_t> find(Hashed text, const TextOf& text_of) const {
    if (size_ == 0) return std::nullopt;
    const Slot& slot = slots_[position_of(text, text_of)];
    if (slot.is_free()) return std::nullopt;
    return slot.number();
  }

  struct Inserted {
    size_t number;  // the one given, or that of the equal text inserted before
    bool is_new;
  };
  template <class TextOf>
  Inserted insert(Hashed text, size_t number, const TextOf& text_of) {
    make_room(number);
    Slot& slot = slots_[position_of(text, text_of)];
    if (!slot.is_free()) return {slot.number(), false};
    slot = {text.tag, static_cast<uint32_t>(number + 1)};
    ++size_;
    return {number, true};
  }

  // Takes the text out if it has this number. text_of() must still know it.
  template <class TextOf>
  void erase(Hashed text, size_t number, const TextOf& text_of) {
    if (size_ == 0) return;
    const size_t position = position_of(text, text_of);
    if (!slots_[position].is_free() && slots_[position].number() == number) free_slot(position);
  }

 private:
  struct Slot {
    uint32_t tag = 0;  // of the text's hash; its first bits are where the search begins
    uint32_t number_and_one = 0;
    bool is_free() const { return number_and_one == 0; }
    size_t number() const { return size_t{number_and_one} - 1; }
  };

  static uint32_t tag_of(std::string_view text);
  size_t home_of(uint32_t tag) const { return static_cast<size_t>(uint64_t{tag} >> shift_); }
  size_t behind(size_t position) const { return (position + 1) & (slots_.size() - 1); }
  void make_room(size_t number);
  void grow(size_t slots);
  void free_slot(size_t position);

  // Where the text is, or the free slot where it would go.
  template <class TextOf>
  size_t position_of(Hashed text, const TextOf& text_of) const {
    size_t at = home_of(text.tag);
    for (; !slots_[at].is_free(); at = behind(at)) {
      if (slots_[at].tag == text.tag && text_of(slots_[at].number()) == text.text) break;
    }
    return at;
  }

  std::vector<Slot> slots_;  // a power of two of them, three quarters in use at most
  size_t size_ = 0;
  int shift_ = 32;  // of a tag, to the position of its home
};

template <class TextOf>
class TextIndex::Ahead {
 public:
  // text_of: a number below `size` -> text, valid while this is used, as must be `index`.
  Ahead(const TextIndex& index, size_t size, TextOf text_of)
      : index_(index), size_(size), text_of_(std::move(text_of)) {
    while (taken_ < kSteps) take();
  }
  // That of the first index, then of the second, and so on; no more than there are.
  Hashed next() {
    const Hashed text = texts_[taken_ % kSteps];
    take();
    return text;
  }

 private:
  static constexpr size_t kSteps = 16;  // about the time from memory, in steps of 5 to 10 ns
  void take() {
    if (taken_ < size_) {
      Hashed& text = texts_[taken_ % kSteps];
      text = text_of_(taken_);
      if (!index_.slots_.empty()) __builtin_prefetch(&index_.slots_[index_.home_of(text.tag)], 1);
    }
    ++taken_;
  }

  const TextIndex& index_;
  size_t size_, taken_ = 0;
  TextOf text_of_;
  std::array<Hashed, kSteps> texts_;
};

}  // namespace spanforge
