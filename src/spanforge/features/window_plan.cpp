#include "spanforge/features/window_plan.h"

#include <algorithm>

#include <fmt/core.h>

namespace spanforge {

std::string no_room_reason(int32_t question_tokens, int32_t room, const WindowOptions& options) {
  return fmt::format(
      "the question's {} tokens leave {} of a window of {} for the context, but more than the "
      "overlap of {} is needed; shorten the question, or change the window's length or overlap",
      question_tokens, std::max(0, room), options.max_seq_length, options.window_overlap);
}

}  // namespace spanforge
