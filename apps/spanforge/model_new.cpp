#include <optional>

#include "command.h"
#include "common.h"
#include "output.h"
#include "progress.h"
#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/base/threads.h"
#include "spanforge/base/utf8.h"
#include "spanforge/model/model.h"
#include "spanforge/text/wordpiece_trainer.h"
#include "staged_directory.h"

namespace spanforge::app {
namespace {

struct NewModelOptions {
  std::string like = "tiny";
  std::vector<std::string> text_files;
  std::string output;
  WordPieceTrainerOptions vocabulary;
  std::optional<int32_t> hidden_size, layers, heads, intermediate_size, positions;
  int64_t seed = 42;
  int32_t threads = 0;
};

void declare(OptionTable& table, NewModelOptions& o) {
  table({"like", "size to start from", "tiny|small|base|large"}, o.like);
  table({"text", "plain UTF-8 text that the vocabulary is trained on; repeat for more", ""},
        o.text_files);
  table({"output", "directory to make", "", "output_dir"}, o.output);
  table({"vocab_size", "entries of the vocabulary, special tokens included, at most", "> 5"},
        o.vocabulary.vocab_size);
  table({"min_frequency", "how often a pair must occur to become an entry", "> 0"},
        o.vocabulary.min_frequency);
  table({"do_lower_case", "lower-case text and strip accents", ""},
        o.vocabulary.bert.do_lower_case);
  table({"hidden_size", "width; default: as --like", "> 0"}, o.hidden_size);
  table({"num_hidden_layers", "layers; default: as --like", "> 0"}, o.layers);
  table({"num_attention_heads", "attention heads; default: as --like", "> 0"}, o.heads);
  table({"intermediate_size", "inner width; default: four times the width, or as --like", "> 0"},
        o.intermediate_size);
  table({"max_position_embeddings", "longest window; default: as --like", "> 0"}, o.positions);
  table({"seed", "of the weights", ">= 0"}, o.seed);
  table(kThreadsOption, o.threads);
}

ModelConfig make_config(const NewModelOptions& o, int32_t vocabulary_size) {
  ModelConfig config = ModelConfig::like(o.like);
  config.vocab_size = vocabulary_size;
  if (o.hidden_size) {
    config.hidden_size = *o.hidden_size;
    config.intermediate_size = 4 * *o.hidden_size;
  }
  if (o.layers) config.num_hidden_layers = *o.layers;
  if (o.heads) config.num_attention_heads = *o.heads;
  if (o.intermediate_size) config.intermediate_size = *o.intermediate_size;
  if (o.positions) config.max_position_embeddings = *o.positions;
  config.check(ErrorCode::kUsage, "model new");
  return config;
}

// The files' lines; the trainer counts words, which never reach over a line's end.
std::vector<std::string> read_lines(const std::vector<std::string>& files) {
  std::vector<std::string> lines;
  for (const std::string& file : files) {
    const std::string bytes = read_file(file);
    if (const auto at = find_invalid_utf8(bytes)) {
      throw Error(ErrorCode::kBadData, file, fmt::format("is not UTF-8 at byte {}", *at));
    }
    if (bytes.find_first_not_of(" \t\r\n") == std::string::npos) {
      throw Error(ErrorCode::kBadData, file, "holds no text");
    }
    for (size_t start = 0; start < bytes.size();) {
      const size_t end = std::min(bytes.find('\n', start), bytes.size());
      lines.push_back(bytes.substr(start, end - start));
      start = end + 1;
    }
  }
  return lines;
}

}  // namespace

int run_model_new(const Arguments& arguments) {
  NewModelOptions o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  table.require("text");
  table.require("output");
  set_thread_count(o.threads);
  make_config(o,
              o.vocabulary.vocab_size);  // wrong numbers are told before the vocabulary is trained
  const std::vector<std::string> vocabulary =
      train_wordpiece(read_lines(o.text_files), o.vocabulary);
  const Tokenizer tokenizer = Tokenizer::from_vocabulary(vocabulary, o.vocabulary.bert, o.output);
  const ModelConfig config = make_config(o, static_cast<int32_t>(vocabulary.size()));
  const auto model = QuestionAnsweringModel::create(config, static_cast<uint64_t>(o.seed));
  StagedDirectory directory(o.output);
  model.save(directory.path());
  tokenizer.save(directory.path());
  directory.commit();
  emit("{}: {} layers, {} wide, {} parameters, {} vocabulary entries\n", o.output,
       config.num_hidden_layers, config.hidden_size, model.parameter_count(), vocabulary.size());
  return 0;
}

}  // namespace spanforge::app
