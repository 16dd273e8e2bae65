// Any bytes as the file behind `ask --input`: an Error{kBadData} with file and line, or questions
// that a model answers, each with a slice of its own context.
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
  std::vector<app::Asked> asked;
  try {
    asked = app::parse_questions(fuzz::view_of(data, size), "fuzzed.jsonl");
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kBadData &&
                  error.place().starts_with("fuzzed.jsonl"));
    return 0;
  }
  // Some windows each: of more and longer ones, the model takes most of the time.
  std::vector<QuestionContext> questions;
  for (size_t i = 0; i < asked.size() && i < 2; ++i) {
    questions.push_back(asked[i].text);
    std::string& context = questions.back().context;
    context = slice_code_points(context, 0, 100);
  }
  try {
    answer(questions);
  } catch (const Error& error) {  // a question that leaves no room
    fuzz::require(error.code() == ErrorCode::kUsage || error.code() == ErrorCode::kBadData);
  }
  return 0;
}
