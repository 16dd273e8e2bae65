#include <algorithm>

#include <fmt/core.h>

#include "spanforge/evaluation/analysis.h"
#include "spanforge/io/json_object_file.h"

namespace spanforge {
namespace {

bool is_right(Verdict verdict) {
  return verdict == Verdict::kRight || verdict == Verdict::kRightUnsure;
}

Json references_json(const Example& example) {
  Json list = Json::array();
  for (const Answer& answer : example.answers) list.push_back(answer.text);
  return list;
}

Json detail_json(const Dataset& dataset, const Judgement& j) {
  const Example& example = dataset.examples[j.example];
  return {{"id", example.id},
          {"question", example.question},
          {"prediction", j.prediction},
          {"references", references_json(example)},
          {"verdict", verdict_name(j.verdict)},
          {"lost_by", verdict_lost_by(j.verdict)},
          {"score", j.score},
          {"f1", j.f1},
          {"gold_rank", j.gold_rank},
          {"confident", j.confident}};
}

// Everything except the details.
Json summary_json(const Analysis& analysis) {
  Json verdicts = Json::object(), lost_by = Json::object();
  int64_t right = 0;
  for (int v = 0; v < kVerdictCount; ++v) {
    const auto verdict = static_cast<Verdict>(v);
    const int64_t count = analysis.counts[static_cast<size_t>(v)];
    verdicts[verdict_name(verdict)] = count;
    if (is_right(verdict)) {
      right += count;
    } else {
      lost_by[verdict_lost_by(verdict)] =
          lost_by.value(verdict_lost_by(verdict), int64_t{0}) + count;
    }
  }
  const auto questions = static_cast<int64_t>(analysis.judgements.size());
  const auto in_top_k = std::count_if(analysis.judgements.begin(), analysis.judgements.end(),
                                      [](const Judgement& j) { return j.gold_rank > 0; });
  return {{"questions", questions}, {"right", right},       {"wrong", questions - right},
          {"in_top_k", in_top_k},   {"verdicts", verdicts}, {"lost_by", lost_by}};
}

std::string example_line(const Dataset& dataset, const Judgement& j) {
  const Example& example = dataset.examples[j.example];
  const std::string reference = example.answers.empty() ? "(none)" : example.answers.front().text;
  return fmt::format("      {}: \"{}\" said \"{}\" ({:.2f}), reference \"{}\"{}\n",
                     quote_for_message(example.id, 40), quote_for_message(example.question, 60),
                     quote_for_message(j.prediction, 60), j.score, quote_for_message(reference, 60),
                     j.gold_rank > 0 ? fmt::format(", rank {}", j.gold_rank) : "");
}

}  // namespace

void write_analysis(const Dataset& dataset, const Analysis& analysis, AtomicFile into) {
  JsonObjectFile file(std::move(into));
  const Json summary = summary_json(analysis);
  for (const auto& [key, value] : summary.items()) file.add(key, value);
  auto judgement = analysis.judgements.begin();
  file.add_list("details", [&]() -> std::optional<Json> {
    const auto is_told = [](const Judgement& j) { return j.verdict != Verdict::kRight; };
    judgement = std::find_if(judgement, analysis.judgements.end(), is_told);
    if (judgement == analysis.judgements.end()) return std::nullopt;
    return detail_json(dataset, *judgement++);
  });
  file.commit();
}

std::string analysis_table(const Dataset& dataset, const Analysis& analysis, size_t shown) {
  const auto questions = static_cast<double>(std::max<size_t>(1, analysis.judgements.size()));
  std::string out =
      fmt::format("  {:<28} {:>6} {:>6}  {}\n", "what happened", "count", "share", "lost by");
  for (int v = 0; v < kVerdictCount; ++v) {
    const auto verdict = static_cast<Verdict>(v);
    const int64_t count = analysis.counts[static_cast<size_t>(v)];
    if (count == 0) continue;
    out += fmt::format("  {:<28} {:>6} {:>5.1f}%  {}\n", verdict_name(verdict), count,
                       100.0 * static_cast<double>(count) / questions, verdict_lost_by(verdict));
    if (is_right(verdict)) continue;
    size_t listed = 0;
    for (const Judgement& j : analysis.judgements) {
      if (j.verdict != verdict || listed == shown) continue;
      out += example_line(dataset, j);
      ++listed;
    }
  }
  return out;
}

}  // namespace spanforge
