#pragma once
// Which windows and which decoding a command uses.

#include <optional>
#include <string>

#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/model/model_directory.h"

namespace spanforge::app {

// What the user gave, else the defaults for this tokenizer and the model's positions (a directory
// without config.json holds a tokenizer only: 512 then). Notes once where the tokenizer states no
// length. Error{kUsage} for windows that the model cannot have.
WindowOptions choose_windows(const ModelDirectory& model, const Tokenizer& tokenizer,
                             std::optional<int32_t> max_seq_length, std::optional<int32_t> overlap);

// choose_answer_settings() for a model, of its own settings, not its base's; notes once where the
// windows' length is a default that nobody stated.
AnswerSettings choose_settings(const ModelDirectory& model, const Tokenizer& tokenizer,
                               const AnswerOverlay& asked);

}  // namespace spanforge::app
