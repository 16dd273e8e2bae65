#include "spanforge/data/stats.h"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/threads.h"
#include "spanforge/data/question_form.h"

namespace spanforge {
namespace {

// Measures all texts of the dataset in parallel.
template <class Measure>
TextLengths measure_texts(const Dataset& dataset, const Measure& measure) {
  const auto measure_all = [&](const std::vector<const std::string*>& texts) {
    std::vector<int64_t> lengths(texts.size());
    parallel_for(static_cast<int64_t>(texts.size()), 64, [&](int64_t i) {
      lengths[static_cast<size_t>(i)] = measure(*texts[static_cast<size_t>(i)]);
    });
    return summarize_lengths(std::move(lengths));
  };
  std::vector<const std::string*> contexts, questions, answers;
  for (const std::string& context : dataset.contexts) contexts.push_back(&context);
  for (const Example& example : dataset.examples) {
    questions.push_back(&example.question);
    for (const Answer& answer : example.answers) answers.push_back(&answer.text);
  }
  return {measure_all(contexts), measure_all(questions), measure_all(answers)};
}

double spread_of(const std::vector<FormCount>& forms, int64_t questions) {
  if (forms.size() < 2) return 0;
  double entropy = 0;
  for (const FormCount& form : forms) {
    const double share = static_cast<double>(form.questions) / static_cast<double>(questions);
    entropy -= share * std::log(share);
  }
  return entropy / std::log(static_cast<double>(forms.size()));
}

Json lengths_to_json(const LengthSummary& lengths) {
  return {{"count", lengths.count},   {"min", lengths.min}, {"mean", lengths.mean},
          {"median", lengths.median}, {"p95", lengths.p95}, {"max", lengths.max}};
}

Json lengths_to_json(const TextLengths& lengths) {
  return {{"contexts", lengths_to_json(lengths.contexts)},
          {"questions", lengths_to_json(lengths.questions)},
          {"answers", lengths_to_json(lengths.answers)}};
}

void append_lengths(const TextLengths& lengths, std::string_view unit, std::string& out) {
  const auto line = [&](std::string_view what, const LengthSummary& l) {
    out += fmt::format(
        "  {:<9} in {:<10}  min {:>4}  mean {:>7.1f}  median {:>4}  95 % {:>4}  max {:>5}\n", what,
        unit, l.min, l.mean, l.median, l.p95, l.max);
  };
  line("contexts", lengths.contexts);
  line("questions", lengths.questions);
  line("answers", lengths.answers);
}

double percent(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

LengthSummary summarize_lengths(std::vector<int64_t> lengths) {
  LengthSummary summary;
  if (lengths.empty()) return summary;
  std::sort(lengths.begin(), lengths.end());
  const auto rank = [&](size_t percent) {
    return lengths[(lengths.size() * percent + 99) / 100 - 1];
  };
  int64_t sum = 0;
  for (const int64_t length : lengths) sum += length;
  summary.count = static_cast<int64_t>(lengths.size());
  summary.min = lengths.front();
  summary.median = rank(50);
  summary.p95 = rank(95);
  summary.max = lengths.back();
  summary.mean = static_cast<double>(sum) / static_cast<double>(lengths.size());
  return summary;
}

DataStats compute_stats(const Dataset& dataset, const Tokenizer* tokenizer) {
  DataStats stats;
  stats.file = dataset.file.string();
  stats.questions = static_cast<int64_t>(dataset.examples.size());
  stats.distinct_contexts = static_cast<int64_t>(dataset.contexts.size());
  KeyedSet<std::string_view> questions, titles;
  KeyedMap<std::string_view, int64_t> forms;
  for (const Example& example : dataset.examples) {
    questions.insert(example.question);
    titles.insert(example.title);
    stats.answers += static_cast<int64_t>(example.answers.size());
    stats.without_answer += example.answers.empty();
    stats.several_answers += example.answers.size() > 1;
    ++forms[question_form(example.question)];
  }
  stats.distinct_questions = static_cast<int64_t>(questions.size());
  stats.titles = static_cast<int64_t>(titles.size());
  for (const auto& [form, count] : forms) stats.forms.push_back({std::string(form), count});
  std::sort(stats.forms.begin(), stats.forms.end(), [](const FormCount& a, const FormCount& b) {
    return a.questions != b.questions ? a.questions > b.questions : a.form < b.form;
  });
  stats.form_spread = spread_of(stats.forms, stats.questions);
  stats.characters = measure_texts(dataset, [](const std::string& text) {
    return static_cast<int64_t>(count_code_points(text));
  });
  if (tokenizer != nullptr) {
    stats.tokens = measure_texts(dataset, [&](const std::string& text) {
      TokenBuffer tokens;
      tokenizer->tokenize(text, tokens);
      return static_cast<int64_t>(tokens.size());
    });
  }
  return stats;
}

Json stats_to_json(const DataStats& stats) {
  Json json = {{"file", stats.file},
               {"questions", stats.questions},
               {"contexts", stats.distinct_contexts},
               {"answers", stats.answers},
               {"titles", stats.titles},
               {"distinct_contexts", stats.distinct_contexts},
               {"distinct_questions", stats.distinct_questions},
               {"without_answer", stats.without_answer},
               {"without_answer_share", stats.without_answer_share()},
               {"several_answers", stats.several_answers},
               {"characters", lengths_to_json(stats.characters)}};
  if (stats.tokens) json["tokens"] = lengths_to_json(*stats.tokens);
  Json forms = Json::object();
  for (const FormCount& form : stats.forms) forms[form.form] = form.questions;
  json["question_forms"] = std::move(forms);
  json["form_spread"] = stats.form_spread;
  return json;
}

std::string stats_to_text(const DataStats& stats) {
  std::string out = fmt::format(
      "{}: {} questions ({} distinct), {} contexts, {} answers\n"
      "  {} questions ({:.1f} %) have no answer, {} have several\n",
      quote_for_message(stats.file, 4096), stats.questions, stats.distinct_questions,
      stats.distinct_contexts, stats.answers, stats.without_answer,
      100 * stats.without_answer_share(), stats.several_answers);
  append_lengths(stats.characters, "characters", out);
  if (stats.tokens) append_lengths(*stats.tokens, "tokens", out);
  out += fmt::format("  question forms (spread {:.2f} of 1):", stats.form_spread);
  for (const FormCount& form : stats.forms) {
    out += fmt::format(" {} {} ({:.1f} %)", form.form, form.questions,
                       percent(form.questions, stats.questions));
    out += &form == &stats.forms.back() ? "\n" : ",";
  }
  return out;
}

}  // namespace spanforge
