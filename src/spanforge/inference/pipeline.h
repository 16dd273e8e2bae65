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
#include <span>
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
  double no_answer = 0;  // probability that the context has none; 0 where the decoder knows no null
  int32_t windows = 0;   // that the question was asked in
};

// The questions of one call as windows, whose logits are computed in any order, and together with
// windows of other calls: what a server makes batches of. A Pipeline makes it and must outlive it.
class PreparedQuestions {
 public:
  ~PreparedQuestions();
  size_t window_count() const;
  int32_t window_length(size_t window) const;  // tokens
  int64_t token_count() const;
  const std::vector<AskResult>& results() const;  // the errors of questions without windows

 private:
  friend class Pipeline;
  struct Impl;
  explicit PreparedQuestions(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct PreparedWindow {
  PreparedQuestions* questions;
  size_t window;
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

  // Tokens of all the windows that prepare() would make, without making them; a question without
  // room for its context has none.
  int64_t count_window_tokens(const std::vector<QuestionContext>& questions,
                              const AskOptions& options = {}) const;
  // answer_each() in three steps, for a server: prepare() and finish() compute with the calling
  // thread's number of threads, compute() with the pipeline's. Memory: some 30 bytes a token of the
  // windows. Concurrent, but for calls about the same PreparedQuestions.
  std::unique_ptr<PreparedQuestions> prepare(const std::vector<QuestionContext>& questions,
                                             const AskOptions& options = {}) const;
  void compute(std::span<const PreparedWindow> windows) const;  // one forward pass
  // REQUIRES: all windows have been computed.
  std::vector<AskResult> finish(PreparedQuestions& questions) const;
  std::string_view decoder(
      const AskOptions& options = {}) const;  // the name of the one that is used

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace spanforge
