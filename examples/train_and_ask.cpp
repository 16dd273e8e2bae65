// The whole way as one program against the library: load and look at the data, tokenize, make
// labels, fine-tune while watching the n-best answers, judge, save, ask.
//
//   train_and_ask MODEL TRAIN.json VALIDATION.json OUTPUT
//
// MODEL is a model directory, for example one that `spanforge model new` made.

#include <cstdio>
#include <exception>
#include <string>

#include "spanforge/data/dataset.h"
#include "spanforge/evaluation/evaluate.h"
#include "spanforge/features/summary.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/text/tokenizer.h"
#include "spanforge/train/train_state.h"
#include "spanforge/train/trainer.h"

namespace {

// Sees each evaluation: where the right answer stands among the ten most probable ones.
class NBestObserver : public spanforge::Observer {
 public:
  void on_log(const spanforge::TrainView&, const spanforge::LogLine& line,
              const spanforge::LogLine&) override {
    std::printf("%s\n", spanforge::console_line(line).c_str());
  }
  void on_evaluate(const spanforge::TrainView& view, const spanforge::Dataset& validation,
                   const spanforge::Evaluation& evaluation, const spanforge::LogLine&) override {
    for (size_t i = 0; i < evaluation.ranks.size(); ++i) {
      const spanforge::QaRank& rank = evaluation.ranks[i];
      std::printf("  %s: Answer: %s (Rank: %d), first: %s (%.4f)\n",
                  validation.examples[i].id.c_str(), rank.text.empty() ? "<>" : rank.text.c_str(),
                  rank.rank, rank.top1_text.c_str(), rank.top1_score);
    }
    std::printf("  step %lld: qa_topk_recall %.4f\n",
                static_cast<long long>(view.state.global_step), evaluation.qa_topk_recall);
  }
};

void run(const std::string& model, const std::string& train_file,
         const std::string& validation_file, const std::string& output) {
  // Data: every example knows its file and place; contexts are stored once.
  const spanforge::Dataset data = spanforge::load_dataset(train_file);
  std::printf("%zu questions about %zu contexts\n", data.examples.size(), data.contexts.size());

  // Tokens and their places in the text, in code points.
  const auto tokenizer = spanforge::Tokenizer::from_directory(model);
  const spanforge::Encoding encoded = tokenizer.encode(data.examples[0].question);
  for (const std::string& token : encoded.tokens) std::printf("%s ", token.c_str());
  std::printf("\n");

  // Labels: the answer's first and last token of each window, decoded back to prove them.
  spanforge::FeatureOptions options;
  options.windows = {.max_seq_length = 96, .window_overlap = 32};
  const auto features = spanforge::FeatureSet::build(data, tokenizer, options);
  const spanforge::LabelRow row = spanforge::label_row(data, features, tokenizer, 0);
  std::printf("%s\n%s -> %s | %s\n", spanforge::label_summary(features).c_str(),
              row.question.c_str(), row.label.c_str(), row.source.c_str());

  // Training: names and defaults are those of Hugging Face's TrainingArguments.
  spanforge::TrainingArguments arguments;
  arguments.model = model;
  arguments.train = train_file;
  arguments.validation = validation_file;
  arguments.output = output;
  arguments.max_seq_length = 96;
  arguments.window_overlap = 32;
  arguments.learning_rate = 1e-3;
  arguments.num_train_epochs = 2;
  NBestObserver n_best;
  spanforge::TrainContext context;
  context.observers = {&n_best};
  const spanforge::TrainResult result = spanforge::train(arguments, context);
  std::printf("%lld steps; the model is in %s\n", static_cast<long long>(result.global_step),
              result.trained.string().c_str());

  // Answers from the directory that was saved.
  const auto pipeline = spanforge::Pipeline::from_directory(result.trained);
  const spanforge::Example& asked = data.examples[0];
  const auto answers = pipeline.answer({{asked.question, data.context_of(asked), asked.id}});
  const spanforge::AskAnswer& best = answers[0][0];
  std::printf("%s\n{'score': %g, 'start': %d, 'end': %d, 'answer': '%s'}\n", asked.question.c_str(),
              best.score, best.span.start, best.span.end, best.answer.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: train_and_ask MODEL TRAIN.json VALIDATION.json OUTPUT\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argv[3], argv[4]);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "train_and_ask: %s\n", error.what());
    return 1;
  }
  return 0;
}
