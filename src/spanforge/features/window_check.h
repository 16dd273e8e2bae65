#pragma once
// What: which questions and answers of a dataset a tokenizer's windows have no room for. The rest
//   of what can be wrong with a dataset needs no tokenizer: data/check.h.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/features/feature_set.h"

namespace spanforge {

enum class WindowFault {
  kQuestionTooLong,     // it leaves no room for the context: training refuses the file
  kAnswerCut,           // no window holds the whole answer: every window is labelled [CLS]
  kAnswerWithoutToken,  // the answer begins or ends at characters that are in no token: likewise
  kAnswerInsideToken,   // the answer begins or ends inside a token: labelled with all of the token
};
std::string_view window_fault_name(WindowFault fault);  // "question_too_long", ...

struct WindowFinding {
  WindowFault fault;
  size_t example = 0;
  std::string reason;
};

// In the dataset's order. Of the answers the first of each question is looked at, the one that is
// trained on, and only where it is where it says.
std::vector<WindowFinding> check_windows(const Dataset& dataset, const Tokenizer& tokenizer,
                                         const WindowOptions& options);

}  // namespace spanforge
