#include "answer_options.h"

#include "common.h"

namespace spanforge::app {

void declare_ask_options(OptionTable& table, AskOptions& options) {
  table({"top_k", "answers per question, best first", "> 0", "topk", "1"}, options.top_k);
  table(kDecoderOption, options.decoder);
  table(kMaxSeqLengthOption, options.max_seq_length);
  table(kWindowOverlapOption, options.window_overlap);
  table(kMaxAnswerLengthOption, options.max_answer_length);
  table(
      {"handle_impossible_answer", "\"\" may be the answer; default: as the model was trained", ""},
      options.null_answers);
  table({"align_to_words", "decoder pipeline: answers are whole words", "", "", "true"},
        options.align_to_words);
  table({"batch_size", "windows computed at once", "> 0"}, options.batch_size);
}

void declare_score_options(OptionTable& table, ScoreOptions& options) {
  table(kDecoderOption, options.asked.decoder);
  table(kMaxSeqLengthOption, options.asked.max_seq_length);
  table(kWindowOverlapOption, options.asked.window_overlap);
  table(kMaxAnswerLengthOption, options.asked.max_answer_length);
  table({"version_2_with_negative", "\"\" may be the answer; default: as trained", "",
         "handle_impossible_answer"},
        options.asked.null_answers);
  table({"null_score_diff_threshold",
         "log odds above which \"\" is the answer; default: as trained", "", "null_threshold"},
        options.asked.null_threshold);
  table({"batch_size", "windows computed at once", "> 0",
         "per_device_eval_batch_size,eval_batch_size"},
        options.batch_size);
}

}  // namespace spanforge::app
