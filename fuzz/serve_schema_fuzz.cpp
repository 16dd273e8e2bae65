// Any bytes: reading a body of either schema gives a call within the limits, whose answers are
// JSON, or a refusal with line and column.
#include "spanforge/base/json.h"
#include "spanforge/serve/schema.h"
#include "support.h"

using namespace spanforge;
using namespace spanforge::serve;

namespace {

void check(const CallOrRefusal& parsed, const Limits& limits) {
  using spanforge::fuzz::require;
  if (parsed.refusal) {
    const int status = parsed.refusal->status;
    require(status == 400 || status == 413 || status == 422);
    require(parsed.refusal->message.find("(line ") != std::string::npos);
    parse_json(refusal_reply(*parsed.refusal, "id").body, "reply", ErrorCode::kInternal);
    return;
  }
  const AnswerCall& call = parsed.call;
  require(!call.questions.empty() && call.questions.size() <= limits.questions);
  require(call.question_places.size() == call.questions.size());
  require(call.context_places.size() == call.questions.size());
  const int32_t top_k = call.options.top_k.value_or(1);
  require(top_k >= 1 && top_k <= limits.top_k);
  std::vector<AskResult> results(call.questions.size());
  for (size_t i = 0; i < results.size(); ++i) {
    const std::string& context = call.questions[i].context;
    require(!context.empty() && !call.questions[i].question.empty());
    const auto end = static_cast<int32_t>(count_code_points(context));
    results[i].answers = {{0.5, {0, end}, context}};
    const CharSpan bytes = convert_span(context, {0, end}, OffsetUnit::kByte);
    require(bytes.end == static_cast<int32_t>(context.size()));
  }
  parse_json(answers_to_json(call, results, {"m", "v", "d"}), "reply", ErrorCode::kInternal);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Limits limits;
  limits.questions = 8;
  limits.texts_bytes = 4096;
  const std::string_view body = spanforge::fuzz::view_of(data, size);
  check(parse_answer_call(body, limits), limits);
  check(parse_hugging_face_call(body, limits), limits);
  return 0;
}
