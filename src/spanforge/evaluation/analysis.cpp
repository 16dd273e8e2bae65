#include "spanforge/evaluation/analysis.h"

#include <algorithm>
#include <array>
#include <limits>

#include "spanforge/metrics/squad.h"

namespace spanforge {
namespace {

struct Gold {
  CharSpan span;
  bool in_a_window = false;
  int32_t tokens = std::numeric_limits<int32_t>::max();  // the fewest that cover it
  bool can_be_given = false;  // these tokens normalise to the same text, by squad_v2's rules
};

// Records how much of one reference a window holds: all of it or not, and in how many tokens.
void look(const FeatureSet& features, const Window& window, bool first, bool last,
          const std::string& text, const CodePointIndex& positions, Gold& gold) {
  const std::span<const CharSpan> offsets = features.offsets(window);
  const TokenSpan context = window.context;
  if (context.size() == 0) return;
  const int32_t begin = first ? 0 : offsets[static_cast<size_t>(context.start)].start;
  const int32_t end = last ? std::numeric_limits<int32_t>::max()
                           : offsets[static_cast<size_t>(context.end - 1)].end;
  if (gold.span.start < begin || gold.span.end > end) return;
  gold.in_a_window = true;
  int32_t tokens = 0;
  CharSpan covered = gold.span;
  for (int32_t t = context.start; t < context.end; ++t) {
    const CharSpan token = offsets[static_cast<size_t>(t)];
    if (token.start >= gold.span.end || gold.span.start >= token.end) continue;
    ++tokens;
    covered = {std::min(covered.start, token.start), std::max(covered.end, token.end)};
  }
  gold.tokens = std::min(gold.tokens, tokens);
  if (gold.can_be_given) return;
  const auto normal = [&](CharSpan span) {
    return squad_normalize(slice_code_points(text, positions, span.start, span.end));
  };
  gold.can_be_given = covered == gold.span || normal(covered) == normal(gold.span);
}

// The places of an answer: where the data says; if it does not say, everywhere the text occurs.
std::vector<CharSpan> places_of(const Answer& answer, const std::string& context,
                                const CodePointIndex& positions) {
  constexpr size_t kMost = 100;
  std::vector<CharSpan> places;
  const auto length = static_cast<int32_t>(count_code_points(answer.text));
  if (is_aligned(answer, context, positions)) {
    const auto start = static_cast<int32_t>(answer.answer_start);
    places.push_back({start, start + length});
  }
  if (answer.source == StartSource::kStated) return places;
  int32_t start = 0;
  for (size_t counted = 0, at = context.find(answer.text);
       at != std::string::npos && places.size() < kMost; at = context.find(answer.text, at + 1)) {
    const std::string_view between = std::string_view(context).substr(counted, at - counted);
    start += static_cast<int32_t>(count_code_points(between));
    counted = at;
    if (places.empty() || places.front().start != start) places.push_back({start, start + length});
  }
  return places;
}

// The references that are where the data says, or may be.
std::vector<Gold> sound_golds(const Dataset& dataset, const FeatureSet& features, size_t index) {
  const Example& example = dataset.examples[index];
  const std::string& context = dataset.context_of(example);
  const CodePointIndex positions(context);
  std::vector<Gold> golds;
  const auto [first, last] = features.windows_of(index);
  for (const Answer& answer : example.answers) {
    if (squad_normalize(answer.text).empty()) continue;
    for (const CharSpan span : places_of(answer, context, positions)) {
      Gold gold;
      gold.span = span;
      for (int32_t w = first; w < last; ++w) {
        look(features, features.windows()[static_cast<size_t>(w)], w == first, w + 1 == last,
             context, positions, gold);
      }
      golds.push_back(gold);
    }
  }
  return golds;
}

Verdict verdict_of_wrong(const std::vector<Gold>& golds, const Example& example,
                         const Candidate& prediction, const Judgement& judgement,
                         const DecoderOptions& decoder) {
  if (example.answers.empty()) return Verdict::kFalseAnswer;
  if (golds.empty()) return Verdict::kLabelBad;
  const auto any = [&](auto&& test) { return std::any_of(golds.begin(), golds.end(), test); };
  if (!any([](const Gold& g) { return g.in_a_window; })) return Verdict::kCutOff;
  if (!any([&](const Gold& g) { return g.in_a_window && g.tokens <= decoder.max_answer_length; })) {
    return Verdict::kTooLong;
  }
  if (!any([&](const Gold& g) {
        return g.in_a_window && g.tokens <= decoder.max_answer_length && g.can_be_given;
      })) {
    return Verdict::kInsideToken;
  }
  if (prediction.text.empty()) return Verdict::kFalseNone;
  if (any([&](const Gold& g) {
        return prediction.span.start < g.span.end && g.span.start < prediction.span.end;
      })) {
    return Verdict::kBoundary;
  }
  if (judgement.gold_rank > 0) return Verdict::kRankedLower;
  return judgement.confident ? Verdict::kConfidentWrong : Verdict::kUnsureWrong;
}

struct VerdictText {
  const char* name;
  const char* lost_by;
};
constexpr std::array<VerdictText, kVerdictCount> kTexts = {{
    {"right", ""},
    {"right, unsure", ""},
    {"label itself bad", "label"},
    {"answered what has no answer", "no-answer decision"},
    {"cut off by the window", "window"},
    {"longer than allowed", "answer length"},
    {"answer_inside_token", "tokenizer"},
    {"said there is no answer", "no-answer decision"},
    {"boundary off", "boundary"},
    {"in the top k, not first", "ranking"},
    {"confident and wrong", "model"},
    {"unsure and wrong", "model"},
}};

}  // namespace

const char* verdict_name(Verdict verdict) { return kTexts[static_cast<size_t>(verdict)].name; }
const char* verdict_lost_by(Verdict verdict) {
  return kTexts[static_cast<size_t>(verdict)].lost_by;
}

void analyse(const Dataset& dataset, const JudgedAnswers& answers, const DecoderOptions& decoder,
             Analysis& analysis) {
  for (size_t i = 0; i < answers.decoded.size(); ++i) {
    const size_t example = answers.first_example + i;
    const auto [first, last] = answers.features.windows_of(example);
    if (first == last) continue;
    const Candidate& prediction = answers.decoded[i].prediction;
    SquadItem item = squad_item_of(dataset.examples[example]);
    item.prediction = prediction.text;
    const SquadItemScore score = squad_item_score(item);
    Judgement& judgement = analysis.judgements.emplace_back();
    judgement.example = example;
    judgement.prediction = prediction.text;
    judgement.score = prediction.score;
    judgement.f1 = score.f1;
    judgement.confident = prediction.score >= kConfidentScore;
    if (!answers.ranks.empty()) judgement.gold_rank = answers.ranks[i].rank;
    if (score.exact) {
      judgement.verdict = judgement.confident ? Verdict::kRight : Verdict::kRightUnsure;
    } else {
      judgement.verdict =
          verdict_of_wrong(sound_golds(dataset, answers.features, example),
                           dataset.examples[example], prediction, judgement, decoder);
    }
    ++analysis.counts[static_cast<size_t>(judgement.verdict)];
  }
}

}  // namespace spanforge
