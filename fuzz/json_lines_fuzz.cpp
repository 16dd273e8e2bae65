// Any bytes as lines of the file of `ask --input`: each is an Error{kBadData} with file and
// line, or a question that a model answers with a slice of its own context.
#include <sstream>

#include "questions.h"
#include "spanforge/base/utf8.h"
#include "support.h"

namespace {

using namespace spanforge;

const Pipeline& pipeline() {
  static const Pipeline pipeline(fuzz::tiny_model(), fuzz::tiny_tokenizer());
  return pipeline;
}

void answer(const std::vector<QuestionContext>& questions) {
  AskOptions options;
  options.top_k = 2;
  const auto answers = pipeline().answer(questions, options);
  fuzz::require(answers.size() == questions.size());
  for (size_t i = 0; i < answers.size(); ++i) {
    for (const AskAnswer& answer : answers[i]) {
      const auto [start, end] = answer.span;
      fuzz::require(start >= 0 && start <= end);
      fuzz::require(answer.answer == slice_code_points(questions[i].context, start, end));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Some windows each: with more or longer ones, the model would take most of the time.
  std::vector<QuestionContext> questions;
  std::istringstream lines{std::string(fuzz::view_of(data, size))};
  std::string line;
  for (size_t number = 1; std::getline(lines, line); ++number) {
    const app::QuestionRow row = app::parse_question_row(line, "fuzzed.jsonl", number);
    if (row.error) {
      fuzz::require(row.error->code() == ErrorCode::kBadData &&
                    row.error->file() == "fuzzed.jsonl");
    } else if (questions.size() < 2) {
      questions.push_back(row.asked.text);
      std::string& context = questions.back().context;
      context = slice_code_points(context, 0, 100);
    }
  }
  if (questions.empty()) return 0;
  try {
    answer(questions);
  } catch (const Error& error) {  // the question leaves no room
    fuzz::require(error.code() == ErrorCode::kUsage || error.code() == ErrorCode::kBadData);
  }
  return 0;
}
