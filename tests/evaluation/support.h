#pragma once
// A small dataset, a tokenizer over its words, and logits that a test sets.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "spanforge/evaluation/evaluator.h"
#include "spanforge/evaluation/null_threshold.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge::testing {

struct Asked {
  std::string id, question, context;
  std::vector<Answer> answers;
};

// Every word of every text is one token.
inline Tokenizer word_tokenizer(const std::vector<Asked>& asked) {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::map<std::string, bool> known;
  const auto add = [&](const std::string& text) {
    std::string word;
    for (char c : text + " ") {
      if (c != ' ') {
        word += c;
      } else if (!word.empty() && known.emplace(word, true).second) {
        vocabulary.push_back(word);
      }
      if (c == ' ') word.clear();
    }
  };
  for (const Asked& a : asked) {
    add(a.question);
    add(a.context);
  }
  return Tokenizer::from_vocabulary(vocabulary, {}, "test");
}

struct Fixture {
  Dataset dataset;
  FeatureSet features;
  Predictions predictions;  // all logits 0
};

inline Fixture make_fixture(const std::vector<Asked>& asked, WindowOptions windows = {64, 8},
                            bool labels = false, BadAnswerPolicy policy = BadAnswerPolicy::kDrop) {
  Fixture f;
  f.dataset.file = "test.json";
  for (const Asked& a : asked) {
    Example example;
    example.id = a.id;
    example.question = a.question;
    example.context = f.dataset.contexts.size();
    example.answers = a.answers;
    f.dataset.contexts.push_back(a.context);
    f.dataset.examples.push_back(example);
  }
  FeatureOptions options;
  options.windows = windows;
  options.with_labels = labels;
  options.on_bad_answer = policy;
  f.features = FeatureSet::build(f.dataset, word_tokenizer(asked), options);
  f.predictions.logits.start.assign(static_cast<size_t>(f.features.token_count()), 0.0f);
  f.predictions.logits.end = f.predictions.logits.start;
  return f;
}

inline Evaluation evaluate_logits(const Fixture& f, const EvaluationOptions& options) {
  Evaluator evaluator(f.dataset, options);
  evaluator.add(f.features, f.predictions);
  return std::move(evaluator).finish();
}

// An evaluation with the answers that on_answers received.
struct Judged {
  Evaluation evaluation;
  std::vector<DecodedExample> decoded;
};

inline Judged judge(const Fixture& f, EvaluationOptions options = {}) {
  Judged judged;
  options.on_answers = [&](const JudgedAnswers& answers) {
    judged.decoded.assign(answers.decoded.begin(), answers.decoded.end());
  };
  judged.evaluation = evaluate_logits(f, options);
  return judged;
}

// The no-answer threshold that fits these answers.
inline std::optional<NullThreshold> threshold_of(const Fixture& f,
                                                 const std::vector<DecodedExample>& decoded) {
  std::vector<NullChoice> choices;
  for (size_t i = 0; i < decoded.size(); ++i) {
    SquadItem item = squad_item_of(f.dataset.examples[i]);
    NullChoice& choice = choices.emplace_back();
    choice.log_odds = decoded[i].null_odds;
    choice.has_golds = !item.golds.empty();
    choice.none = squad_item_score(item);
    item.prediction = decoded[i].best_non_null;
    choice.answer = squad_item_score(item);
  }
  return find_null_threshold(choices);
}

// Adds to the logits of context words [first, last] of an example's first window; first -1: [CLS].
inline void vote(Fixture& f, size_t example, int32_t first, int32_t last, float strength) {
  const Window& window =
      f.features.windows()[static_cast<size_t>(f.features.windows_of(example).first)];
  const int64_t base = window.first_token;
  const int64_t shift = first < 0 ? 0 : window.context.start;
  f.predictions.logits.start[static_cast<size_t>(base + shift + std::max(first, 0))] += strength;
  f.predictions.logits.end[static_cast<size_t>(base + shift + std::max(last, 0))] += strength;
}

}  // namespace spanforge::testing
