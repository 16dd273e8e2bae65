#pragma once
// Which windows a command uses where no training decided them.

#include <filesystem>
#include <optional>

#include "spanforge/features/feature_set.h"

namespace spanforge::app {

// What the user gave, else the defaults for this tokenizer and the model's positions (a directory
// without config.json holds a tokenizer only: 512 then). Notes once where the tokenizer states no
// length. Error{kUsage} for windows that the model or the tokenizer cannot have.
WindowOptions choose_windows(const std::filesystem::path& directory, const Tokenizer& tokenizer,
                             std::optional<int32_t> max_seq_length, std::optional<int32_t> overlap);

}  // namespace spanforge::app
