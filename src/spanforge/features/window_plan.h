#pragma once
// The plan of the windows of one question+context pair. Source: HF tokenizers 0.22,
// Encoding::truncate and truncate_encodings (OnlySecond), which run_qa uses.

#include <algorithm>
#include <cstdint>
#include <string>

#include "spanforge/features/feature_set.h"

namespace spanforge {

// Whether `room`, the tokens of a window that a question leaves for the context, is enough.
inline bool leaves_room(int32_t room, int32_t context_tokens, const WindowOptions& options) {
  return room >= 1 && (context_tokens <= room || room > options.window_overlap);
}

// Why leaves_room() is false, and what to do.
std::string no_room_reason(int32_t question_tokens, int32_t room, const WindowOptions& options);

// The windows of `room` tokens over `context_tokens` tokens; neighbours share `overlap`. They start
// at 0, room - overlap, 2 (room - overlap) ... The first window that reaches the end is the
// last. A context that fits, also an empty one, has one window.
// REQUIRES: context_tokens <= room, or 0 <= overlap < room.
struct WindowPlan {
  int32_t context_tokens = 0, room = 0, overlap = 0;

  int32_t size() const {
    if (context_tokens <= room) return 1;
    const int32_t step = room - overlap;
    return 1 + (context_tokens - room + step - 1) / step;
  }
  TokenSpan operator[](int32_t window) const {
    const int32_t start = window == 0 ? 0 : window * (room - overlap);
    return {start, context_tokens - start <= room ? context_tokens : start + room};
  }
  // Whether a window holds the tokens from first to last, which are some of the context.
  bool holds(int32_t first, int32_t last) const {
    // Of the windows that begin at `first` or before, the last one goes farthest.
    const int32_t window = size() == 1 ? 0 : std::min(size() - 1, first / (room - overlap));
    return last < (*this)[window].end;
  }
};

}  // namespace spanforge
