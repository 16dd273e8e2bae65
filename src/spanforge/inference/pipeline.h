#pragma once
// What: Answers questions about contexts with a saved model directory or adapter, its tokenizer and
//   its decoder.
// Settings: choose_answer_settings(), as in `evaluate`. What AskOptions sets comes first, then
//   spanforge.json next to the model (decoder, window, longest answer, threshold, temperature), so
//   that answers agree with training's evaluation. If AskOptions sets another decoder than the
//   stored one, that decoder's original defaults apply.
// Threads: answer() is const and concurrent. Each call computes with the pipeline's number of
//   threads. With one it stays on the calling thread: best for a server that calls from many
//   threads. With more, calls of all pipelines take turns, so that they never compute with more
//   threads than there are cores (base/threads.h). The pipeline's number of threads changes answers
//   by rounding; other threads never do.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/decode/candidate.h"
#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/model/model_directory.h"
#include "spanforge/model/precision.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {

class Predictor;
class QuestionAnsweringModel;
struct LoadReport;

struct QuestionContext {
  std::string question;
  std::string context;
  std::string id;  // optional, repeated in the answer
};

// null_answers is the pipeline's handle_impossible_answer.
struct AskOptions : AnswerOverlay {
  int32_t batch_size = 16;  // windows computed at the same time
};

struct AskAnswer {
  double score = 0;
  CharSpan span;       // code points of the context; {0,0} for no answer
  std::string answer;  // "" for no answer
};

// The answers to one question, or the error that prevented them.
struct AskResult {
  std::vector<AskAnswer> answers;
  std::optional<Error> error;
};

class Pipeline {
 public:
  // Loads an AnsweringModel, so it also takes an int8 directory. For an adapter given by its path
  // alone, the base is searched for among directories.
  // threads, here and below: those of one call; 0: the cores this process may use. report and
  // errors: see AnsweringModel::load.
  static Pipeline from_directory(const ModelDirectory& directory,
                                 Precision precision = Precision::kF32,
                                 LoadReport* report = nullptr, int threads = 0);
  Pipeline(std::unique_ptr<const Predictor> model, Tokenizer tokenizer,
           std::optional<AnswerSettings> settings = std::nullopt, int threads = 0);
  Pipeline(QuestionAnsweringModel model, Tokenizer tokenizer,
           std::optional<AnswerSettings> settings = std::nullopt, int threads = 0);
  Pipeline(Pipeline&&) noexcept;
  ~Pipeline();

  // Returns for each question a list of at most top_k answers, best first; the first is the
  // decoder's decision. Errors: Error{kUsage} naming the question if it or its context is empty, or
  // if it is too long for the window; Error{kUsage} for a window longer than the model has
  // positions.
  std::vector<std::vector<AskAnswer>> answer(const std::vector<QuestionContext>& questions,
                                             const AskOptions& options = {}) const;
  // Like answer(), but an error of one question becomes that question's result, and all others are
  // answered. Errors that concern no single question are still thrown.
  std::vector<AskResult> answer_each(const std::vector<QuestionContext>& questions,
                                     const AskOptions& options = {}) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanforge
