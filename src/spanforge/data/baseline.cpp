#include "spanforge/data/baseline.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/data/normalize.h"
#include "spanforge/data/question_form.h"

namespace spanforge {
namespace {

constexpr size_t kCandidates = 1000;  // answers of one form to try

char32_t fold_case(char32_t c) { return c >= U'A' && c <= U'Z' ? c + 0x20 : c; }

std::u32string decode_folded(std::string_view text) {
  std::u32string out = decode_utf8(text);
  for (char32_t& c : out) c = fold_case(c);
  return out;
}

bool ends_clause(char32_t c) {
  constexpr std::u32string_view kEnds = U",.;:!?，。；：！？、\n";
  return kEnds.find(c) != std::u32string_view::npos;
}

struct Run {
  size_t start = 0;  // in the context
  size_t length = 0;
};

// The longest run in [first, end) of the context that the question also contains.
Run longest_run(std::u32string_view question, std::u32string_view context, size_t first,
                size_t end) {
  Run best;
  std::vector<size_t> ending(question.size() + 1, 0), next(question.size() + 1, 0);
  for (size_t i = first; i < end; ++i) {
    for (size_t j = 0; j < question.size(); ++j) {
      next[j + 1] = context[i] == question[j] ? ending[j] + 1 : 0;
      if (next[j + 1] > best.length) best = {i + 1 - next[j + 1], next[j + 1]};
    }
    ending.swap(next);
  }
  return best;
}

std::string answer_by_overlap(const std::string& question_text, const std::string& context_text) {
  const std::u32string question = decode_folded(question_text);
  const std::u32string context = decode_folded(context_text);
  const std::u32string original = decode_utf8(context_text);
  Run best;
  size_t best_first = 0, best_end = 0;
  for (size_t first = 0; first < context.size();) {
    size_t end = first;
    while (end < context.size() && !ends_clause(context[end])) ++end;
    const Run run = longest_run(question, context, first, end);
    if (run.length > best.length) {
      best = run;
      best_first = first;
      best_end = end;
    }
    first = end + 1;
  }
  if (best.length == 0) return {};
  const auto part = [&](size_t first, size_t end) {
    const std::string text = encode_utf8(std::u32string_view(original).substr(first, end - first));
    return std::string(trim_white_space(text));
  };
  const std::string before = part(best_first, best.start);
  const std::string after = part(best.start + best.length, best_end);
  return count_code_points(before) > count_code_points(after) ? before : after;
}

}  // namespace

std::vector<std::string> overlap_baseline(const Dataset& dataset) {
  std::vector<std::string> answers;
  answers.reserve(dataset.examples.size());
  for (const Example& example : dataset.examples) {
    answers.push_back(answer_by_overlap(example.question, dataset.context_of(example)));
  }
  return answers;
}

std::vector<std::string> frequency_baseline(const Dataset& train, const Dataset& dataset) {
  std::map<std::string_view, KeyedMap<std::string_view, int64_t>> counts;
  for (const Example& example : train.examples) {
    const std::string_view answer =
        example.answers.empty() ? std::string_view() : std::string_view(example.answers[0].text);
    ++counts[question_form(example.question)][answer];
  }
  std::map<std::string_view, std::vector<std::pair<int64_t, std::string_view>>> ranked;
  for (const auto& [form, answers] : counts) {
    auto& list = ranked[form];
    for (const auto& [answer, count] : answers) list.emplace_back(-count, answer);
    std::sort(list.begin(), list.end());
    list.resize(std::min(list.size(), kCandidates));
  }
  std::vector<std::string> predictions;
  predictions.reserve(dataset.examples.size());
  for (const Example& example : dataset.examples) {
    const std::string& context = dataset.context_of(example);
    std::string prediction;
    for (const auto& [count, answer] : ranked[question_form(example.question)]) {
      if (context.find(answer) == std::string::npos) continue;  // find() always finds ""
      prediction = answer;
      break;
    }
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

}  // namespace spanforge
