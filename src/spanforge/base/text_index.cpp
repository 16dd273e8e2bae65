#include "spanforge/base/text_index.h"

#include <algorithm>
#include <bit>

#include "spanforge/base/error.h"
#include "spanforge/base/keyed_hash.h"

namespace spanforge {
namespace {

constexpr size_t kFewestSlots = 16;

size_t slots_for(size_t texts) {
  return std::bit_ceil(std::max(kFewestSlots, texts + texts / 3 + 1));
}

[[noreturn]] void fail() {
  throw Error(ErrorCode::kInternal, {.where = "text index"}, "there are too many texts");
}

}  // namespace

uint32_t TextIndex::tag_of(std::string_view text) {
  return static_cast<uint32_t>(keyed_hash(text) >> 32);
}

void TextIndex::reserve(size_t texts) {
  if (slots_for(texts) > slots_.size()) grow(slots_for(texts));
}

void TextIndex::make_room(size_t number) {
  if (number >= UINT32_MAX) fail();
  if ((size_ + 1) * 4 > slots_.size() * 3) grow(std::max(kFewestSlots, slots_.size() * 2));
}

// Homes are in the order of the tags in both tables, so both are visited from front to back. Slots
// that wrapped around the old table's end are at its front; the loop places them correctly, too.
void TextIndex::grow(size_t slots) {
  if (slots > size_t{1} << 32) fail();
  std::vector<Slot> old(slots);
  old.swap(slots_);
  shift_ = 32 - std::countr_zero(slots);
  for (const Slot& slot : old) {
    if (slot.is_free()) continue;
    size_t at = home_of(slot.tag);
    while (!slots_[at].is_free()) at = next(at);
    slots_[at] = slot;
  }
}

// A later slot whose home is at or before the free slot moves there, so that every search still
// ends at its text.
void TextIndex::free_slot(size_t position) {
  for (size_t at = next(position); !slots_[at].is_free(); at = next(at)) {
    const size_t from_home = (at - home_of(slots_[at].tag)) & (slots_.size() - 1);
    const size_t from_free = (at - position) & (slots_.size() - 1);
    if (from_home < from_free) continue;
    slots_[position] = slots_[at];
    position = at;
  }
  slots_[position] = {};
  --size_;
}

}  // namespace spanforge
