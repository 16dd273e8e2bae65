#pragma once
// Plans the windows of one question+context pair. Source: HF tokenizers 0.22, Encoding::truncate
// and truncate_encodings (OnlySecond), which run_qa uses.

#include <cstdint>
#include <string>
#include <vector>

#include "spanforge/features/feature_set.h"

namespace spanforge {

// Whether `room`, the tokens of a window that a question leaves for the context, is enough.
inline bool leaves_room(int32_t room, int32_t context_tokens, const WindowOptions& options) {
  return room >= 1 && (context_tokens <= room || room > options.window_overlap);
}

// Why leaves_room() is false, and what to do.
std::string no_room_reason(int32_t question_tokens, int32_t room, const WindowOptions& options);

// Makes windows of `room` tokens over `context_tokens` tokens; neighbours share `overlap`. They
// start at 0, room - overlap, 2 (room - overlap) ... The first window that reaches the end is the
// last. A context that fits, also an empty one, has one window.
// REQUIRES: context_tokens <= room, or 0 <= overlap < room.
inline void plan_windows(int32_t context_tokens, int32_t room, int32_t overlap,
                         std::vector<TokenSpan>& out) {
  out.clear();
  for (int32_t start = 0;; start += room - overlap) {
    const int32_t end = context_tokens - start <= room ? context_tokens : start + room;
    out.push_back({start, end});
    if (end == context_tokens) return;
  }
}

}  // namespace spanforge
