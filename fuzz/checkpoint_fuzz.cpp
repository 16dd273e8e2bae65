// Any bytes instead of one of a checkpoint's files; the manifest is then made anew (or is the file
// itself). The first byte says which file, and which optimiser's optimizer.pt. Opening throws an
// Error or gives a state to resume from and settings to answer with.
#include <array>

#include "spanforge/evaluation/answer_settings.h"
#include "spanforge/formats/manifest.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/io/model_files.h"
#include "spanforge/train/checkpoint.h"
#include "spanforge/train/early_stopping.h"
#include "spanforge/train/run_log.h"
#include "spanforge/train/tensorboard.h"
#include "tiny_checkpoint.h"

namespace {

using namespace spanforge;

struct Kind {
  const char *file, *optim;
};
constexpr std::array<Kind, 8> kKinds = {{{"spanforge_manifest.json", "adamw_torch_fused"},
                                         {"spanforge.json", "adamw_torch_fused"},
                                         {"spanforge_state.json", "adamw_torch_fused"},
                                         {"training_args.json", "adamw_torch_fused"},
                                         {"trainer_state.json", "adamw_torch_fused"},
                                         {"optimizer.pt", "adamw_torch_fused"},
                                         {"optimizer.pt", "adafactor"},
                                         {"optimizer.pt", "sgd"}}};

void use_state(const std::filesystem::path& directory, const QuestionAnsweringModel& model,
               const char* optim) {
  const CheckpointHead head = open_checkpoint(directory);
  EarlyStopping stopping(2, 0);
  RunLog log(directory / "log.jsonl");
  TensorBoard board(directory / "logs", true);
  std::filesystem::path best;
  const auto optimizer = make_optimizer(model, fuzz::tiny_arguments(optim));
  const TrainState state =
      read_checkpoint_state(head, model, *optimizer, {&stopping, &log, &board}, best);
  fuzz::require(state.global_step >= 0);
  trainer_state_text({}, {}, state, best, Json::object());
  progress_json(state);
  is_interruption_checkpoint(directory);
  TrainingArguments arguments;
  adopt_saved_arguments(arguments, head.arguments.value());
  resolve_arguments(arguments);
}

void use_settings(const std::filesystem::path& directory, const Pipeline& pipeline) {
  static const Tokenizer tokenizer = fuzz::tiny_tokenizer();
  const auto settings = load_answer_settings(directory);
  if (!settings) return;
  const AnswerSettings chosen = choose_answer_settings(settings, {}, tokenizer, 32).settings;
  AskOptions options;
  options.decoder = chosen.decoder.kind;
  options.max_answer_length = chosen.decoder.max_answer_length;
  options.max_seq_length = chosen.windows.max_seq_length;
  options.window_overlap = chosen.windows.window_overlap;
  options.null_answers = chosen.decoder.null_answers;
  pipeline.answer({{"who ?", "a c a c a c a c a c a c a c a c a c . 谁 a c", ""}}, options);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const QuestionAnsweringModel model = fuzz::tiny_model();
  static const Pipeline pipeline(fuzz::tiny_model(), fuzz::tiny_tokenizer());
  static const fuzz::Scratch scratch;
  static const std::map<std::string, fuzz::CheckpointFiles> checkpoints = [] {
    std::map<std::string, fuzz::CheckpointFiles> made;
    for (const Kind& kind : kKinds) {
      if (made.contains(kind.optim)) continue;
      made.try_emplace(kind.optim, model, kind.optim, scratch / kind.optim / "checkpoint-3");
    }
    return made;
  }();
  if (size == 0) return 0;
  const Kind& kind = kKinds[data[0] % kKinds.size()];
  const std::string name = kind.file;
  const std::filesystem::path directory = scratch / kind.optim / "checkpoint-3";
  const fuzz::CheckpointFiles& files = checkpoints.at(kind.optim);
  files.replace(name, fuzz::view_of(data + 1, size - 1));
  try {
    if (name == kManifestName) describe_changes(directory);
    if (name == kAnswerSettingsFile) {
      use_settings(directory, pipeline);
    } else {
      use_state(directory, model, kind.optim);
    }
  } catch (const Error& error) {
    fuzz::require(error.code() != ErrorCode::kInternal && !error.place().text().empty());
  }
  files.restore(name);
  return 0;
}
