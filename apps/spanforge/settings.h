#pragma once
// Which windows and which decoder settings a command uses.

#include <optional>
#include <string>

#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/model/model_directory.h"

namespace spanforge::app {

// The user's values, else the defaults for this tokenizer and the model's positions (512 if the
// directory has no config.json and so holds only a tokenizer). Prints a note if the tokenizer gives
// no length. Error{kUsage} for windows that the model cannot have.
WindowOptions choose_windows(const ModelDirectory& model, const Tokenizer& tokenizer,
                             std::optional<int32_t> max_seq_length, std::optional<int32_t> overlap);

// choose_answer_settings() for a model, with its own stored settings, not its base's. Prints a note
// if the windows' length is a fallback.
AnswerSettings choose_settings(const ModelDirectory& model, const Tokenizer& tokenizer,
                               const AnswerOverlay& asked);

}  // namespace spanforge::app
