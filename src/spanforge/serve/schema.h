#pragma once
// What: reads and writes JSON bodies, in our schema and in Hugging Face's (see docs/serving.md).
//   Unknown and repeated members are errors. A whole number may be written 1.0.
// Errors: Refusals that name the member ("questions[1].context"), line and column. The status is
//   400 if the body breaks the schema, 413 above a limit, 422 if it obeys the schema but cannot be
//   answered.
// Offsets: code points, UTF-16 units or bytes of the context, as the client asks.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/spelling.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/serve/limits.h"
#include "spanforge/serve/reply.h"

namespace spanforge::serve {

enum class OffsetUnit { kCodePoint, kUtf16, kByte };
constexpr auto spellings(OffsetUnit) {
  return std::to_array<Spelling<OffsetUnit>>({{"code_point", OffsetUnit::kCodePoint},
                                              {"utf16", OffsetUnit::kUtf16},
                                              {"byte", OffsetUnit::kByte}});
}

// What a body of either schema asks.
struct AnswerCall {
  std::string model;  // "": the first
  std::vector<QuestionContext> questions;
  AskOptions options;
  OffsetUnit unit = OffsetUnit::kCodePoint;
  std::optional<Milliseconds> timeout;
  bool hugging_face = false;  // the form of the answer
  // The texts' places in the body, for errors found later: "questions[3].question".
  std::vector<std::string> question_places, context_places;
};

struct CallOrRefusal {
  AnswerCall call;
  std::optional<Refusal> refusal;
};

CallOrRefusal parse_answer_call(std::string_view body, const Limits& limits);
CallOrRefusal parse_hugging_face_call(std::string_view body, const Limits& limits);

// Makes a refusal of the library's error about one question, or about the options (nullopt). It
// names the member of the body. The status is 422, or 500 if the request is not the cause.
Refusal refusal_of(const Error& error, const AnswerCall& call, std::optional<size_t> question);

struct AnswerSource {
  std::string model, version, decoder;
};
// results: one for each question. REQUIRES: none has an error.
std::string answers_to_json(const AnswerCall& call, const std::vector<AskResult>& results,
                            const AnswerSource& source);

// Converts a span of code points to another unit.
CharSpan convert_span(std::string_view context, CharSpan span, OffsetUnit unit);

}  // namespace spanforge::serve
