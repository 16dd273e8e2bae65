#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/json.h"
#include "spanforge/base/utf8.h"
#include "spanforge/serve/schema.h"

namespace spanforge::serve {
namespace {

// Converts spans of one context from code points to a unit.
class UnitIndex {
 public:
  UnitIndex(std::string_view context, OffsetUnit unit) : unit_(unit) {
    if (unit == OffsetUnit::kCodePoint) return;
    int32_t at = 0;
    for (size_t byte = 0; byte < context.size();) {
      starts_.push_back(at);
      const size_t before = byte;
      const char32_t c = next_code_point(context, byte);
      at += unit == OffsetUnit::kByte ? static_cast<int32_t>(byte - before) : c > 0xffff ? 2 : 1;
    }
    starts_.push_back(at);
  }
  CharSpan convert(CharSpan span) const {
    if (unit_ == OffsetUnit::kCodePoint) return span;
    return {starts_[static_cast<size_t>(span.start)], starts_[static_cast<size_t>(span.end)]};
  }

 private:
  OffsetUnit unit_;
  std::vector<int32_t> starts_;
};

Json span_to_json(const AskAnswer& answer, const UnitIndex& index, bool hugging_face) {
  const CharSpan span = index.convert(answer.span);
  if (hugging_face) {
    return {{"score", answer.score},
            {"start", span.start},
            {"end", span.end},
            {"answer", answer.answer}};
  }
  return {
      {"answer", answer.answer}, {"start", span.start}, {"end", span.end}, {"score", answer.score}};
}

// The member of the body that sets a parameter of the library.
std::string member_of(const std::string& parameter, const AnswerCall& call) {
  if (!call.hugging_face) return parameter;
  constexpr std::pair<std::string_view, std::string_view> kNames[] = {
      {"max_seq_length", "max_seq_len"},
      {"window_overlap", "doc_stride"},
      {"max_answer_length", "max_answer_len"}};
  for (const auto& [ours, theirs] : kNames) {
    if (parameter == ours) return fmt::format("parameters.{}", theirs);
  }
  return "parameters." + parameter;
}

}  // namespace

CharSpan convert_span(std::string_view context, CharSpan span, OffsetUnit unit) {
  return UnitIndex(context, unit).convert(span);
}

Refusal refusal_of(const Error& error, const AnswerCall& call, std::optional<size_t> question) {
  if (!question) {
    if (error.code() == ErrorCode::kUsage) {
      const std::string place = member_of(error.parameter(), call);
      return {422, "validation", place + ": " + error.reason(), place};
    }
    return {500, "internal", error.what()};
  }
  const bool about_context = error.reason().starts_with("the context");
  const std::string& place =
      (about_context ? call.context_places : call.question_places)[*question];
  return {422, "validation", place + ": " + error.reason(), place};
}

std::string answers_to_json(const AnswerCall& call, const std::vector<AskResult>& results,
                            const AnswerSource& source) {
  // Questions about one context usually follow each other.
  std::unique_ptr<UnitIndex> index;
  const std::string* indexed = nullptr;
  Json::Array answers;
  for (size_t i = 0; i < results.size(); ++i) {
    const QuestionContext& asked = call.questions[i];
    if (indexed == nullptr || *indexed != asked.context) {
      index = std::make_unique<UnitIndex>(asked.context, call.unit);
      indexed = &asked.context;
    }
    Json::Array spans;
    for (const AskAnswer& answer : results[i].answers) {
      spans.push_back(span_to_json(answer, *index, call.hugging_face));
    }
    if (call.hugging_face) {
      const bool one = call.options.top_k.value_or(1) == 1 && spans.size() == 1;
      answers.push_back(one ? std::move(spans[0]) : Json(std::move(spans)));
      continue;
    }
    answers.push_back({{"id", asked.id.empty() ? std::to_string(i) : asked.id},
                       {"no_answer", results[i].no_answer},
                       {"windows", results[i].windows},
                       {"spans", Json(std::move(spans))}});
  }
  // As Transformers' pipeline does: one question gives one object, even if it came in a list.
  if (call.hugging_face)
    return (answers.size() == 1 ? answers[0] : Json(std::move(answers))).dump();
  return Json{{"model", source.model},
              {"model_version", source.version},
              {"decoder", source.decoder},
              {"answers", Json(std::move(answers))}}
      .dump();
}

}  // namespace spanforge::serve
