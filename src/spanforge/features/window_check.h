#pragma once
// What: finds questions and answers of a dataset that do not fit into a tokenizer's windows. For
//   findings that need no tokenizer, see data/check.h.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/features/feature_set.h"

namespace spanforge {

enum class WindowFault {
  kQuestionTooLong,     // it leaves no room for the context: training refuses the file
  kAnswerCut,           // no window holds the whole answer: every window is labelled [CLS]
  kAnswerWithoutToken,  // the answer begins or ends with a character in no token: labelled [CLS]
  kAnswerInsideToken,   // the answer begins or ends inside a token: the whole token is labelled
};
std::string_view window_fault_name(WindowFault fault);  // "question_too_long", ...

struct WindowFinding {
  WindowFault fault;
  size_t example = 0;
  std::string reason;
};

// In the dataset's order. Checks only the first answer of each question, which is used for
// training, and only if it is aligned.
std::vector<WindowFinding> check_windows(const Dataset& dataset, const Tokenizer& tokenizer,
                                         const WindowOptions& options);

}  // namespace spanforge
