#include "windows.h"

#include <algorithm>

#include "output.h"
#include "spanforge/base/error.h"
#include "spanforge/model/config.h"

namespace spanforge::app {

WindowOptions choose_windows(const std::filesystem::path& directory, const Tokenizer& tokenizer,
                             std::optional<int32_t> max_seq_length,
                             std::optional<int32_t> overlap) {
  const bool has_config = std::filesystem::exists(directory / "config.json");
  const int32_t positions =
      has_config ? ModelConfig::from_directory(directory).max_position_embeddings : 512;
  const WindowDefaults defaults = default_windows(tokenizer, positions);
  WindowOptions windows = defaults.windows;
  if (max_seq_length) {
    if (*max_seq_length > positions) {
      throw Error(
          ErrorCode::kUsage, "--max-seq-length",
          fmt::format("{} is more than the model's {} positions", *max_seq_length, positions));
    }
    windows.max_seq_length = *max_seq_length;
    windows.window_overlap = std::min(*max_seq_length / 2, 128);
  } else if (defaults.used_fallback) {
    note(fmt::format("the tokenizer states no maximum length: windows of {} tokens are used",
                     windows.max_seq_length));
  }
  if (overlap) windows.window_overlap = *overlap;
  return windows;
}

}  // namespace spanforge::app
