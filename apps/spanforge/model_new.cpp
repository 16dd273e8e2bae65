#include <algorithm>
#include <optional>

#include "command.h"
#include "common.h"
#include "output.h"
#include "progress.h"
#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/io/file.h"
#include "spanforge/io/input_file.h"
#include "spanforge/io/staging.h"
#include "spanforge/model/model.h"
#include "spanforge/ops/activation.h"
#include "spanforge/text/wordpiece_trainer.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

struct NewModelOptions {
  PresetSize like = PresetSize::kTiny;
  std::vector<std::string> text_files;
  std::optional<std::string> vocabulary_file;
  std::string output;
  WordPieceTrainerOptions vocabulary;
  std::string model_type = "bert";
  std::optional<int32_t> hidden_size, layers, heads, intermediate_size, longest_input;
  std::string hidden_act = "gelu";  // config.json's word, because two words mean one activation
  double dropout = 0.1;
  MatrixSpread matrix_spread = MatrixSpread::kConfig;
  int64_t seed = 42;
  int32_t threads = 0;
};

void declare(OptionTable& table, NewModelOptions& o) {
  const std::string activations = choices<ops::Activation>();
  table({"like", "size to start from", ""}, o.like);
  table({"model_type", "family of the model, one of docs/models.md's", ""}, o.model_type);
  table({"text", "plain UTF-8 text that the vocabulary is trained on; repeat for more", ""},
        o.text_files);
  table({"vocab", "existing vocab.txt to use instead of training one on --text", ""},
        o.vocabulary_file);
  table({"output", "directory to make", "", "output_dir"}, o.output);
  table({"vocab_size", "most entries of the vocabulary, special tokens included", "> 5"},
        o.vocabulary.vocab_size);
  table({"min_frequency", "how often a pair must occur to become an entry", "> 0"},
        o.vocabulary.min_frequency);
  table({"do_lower_case", "lower-case text and strip accents", ""},
        o.vocabulary.bert.do_lower_case);
  table({"hidden_size", "width; default: as --like", "> 0"}, o.hidden_size);
  table({"num_hidden_layers", "layers; default: as --like", "> 0"}, o.layers);
  table({"num_attention_heads", "attention heads; default: as --like", "> 0"}, o.heads);
  table({"intermediate_size", "inner width; default: in proportion to the width, as --like has it",
         "> 0"},
        o.intermediate_size);
  table({"max_position_embeddings",
         "tokens of the longest window; default: 512, or the family's own if weights do not grow "
         "with it",
         "> 0"},
        o.longest_input);
  table({"hidden_act", "activation between the two inner layers", activations}, o.hidden_act);
  table({"dropout", "dropout of hidden states and of attention probabilities, in training", "0..1"},
        o.dropout);
  table({"matrix_spread",
         "spread of the matrices' first weights: initializer_range (0.02) as in HF, or "
         "1/sqrt(inputs), with which a small model learns faster",
         ""},
        o.matrix_spread);
  table({"seed", "seed of the weights", ">= 0"}, o.seed);
  table(kThreadsOption, o.threads);
}

// Errors: Error{kUsage} for sizes that make no valid model.
ModelConfig make_config(const NewModelOptions& o, int32_t vocabulary_size, int32_t pad) {
  ModelConfig config = ModelConfig::like(o.like, o.model_type);
  const int32_t longest = config.longest_input();
  config.vocab_size = vocabulary_size;
  config.pad_token_id = pad;
  if (o.longest_input || config.longest_input() != longest) {  // positions may follow the padding
    config.set_longest_input(o.longest_input.value_or(longest));
  }
  if (o.hidden_size) {
    config.intermediate_size = static_cast<int32_t>(int64_t{config.intermediate_size} *
                                                    *o.hidden_size / config.hidden_size);
    config.hidden_size = *o.hidden_size;
  }
  if (o.layers) config.num_hidden_layers = *o.layers;
  if (o.heads) config.num_attention_heads = *o.heads;
  if (o.intermediate_size) config.intermediate_size = *o.intermediate_size;
  config.hidden_act = o.hidden_act;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = o.dropout;
  config.embedding_dropout_prob = o.dropout;
  config.check(ErrorCode::kUsage, {.where = "model new"});
  return config;
}

// The files' lines. The trainer counts words, which never cross a line's end.
std::vector<std::string> read_lines(const std::vector<std::string>& files) {
  std::vector<std::string> lines;
  for (const std::string& file : files) {
    const std::string bytes = read_input(file);
    if (const auto at = find_invalid_utf8(bytes)) {
      throw Error(ErrorCode::kBadData, input_name(file).string(),
                  fmt::format("is not UTF-8 at byte {}", *at));
    }
    if (bytes.find_first_not_of(" \t\r\n") == std::string::npos) {
      throw Error(ErrorCode::kBadData, input_name(file).string(), "holds no text");
    }
    for (size_t start = 0; start < bytes.size();) {
      const size_t end = std::min(bytes.find('\n', start), bytes.size());
      lines.push_back(bytes.substr(start, end - start));
      start = end + 1;
    }
  }
  return lines;
}

Tokenizer make_tokenizer(const NewModelOptions& o) {
  if (o.vocabulary_file) {
    return Tokenizer::from_vocabulary_text(read_input(*o.vocabulary_file), o.vocabulary.bert,
                                           input_name(*o.vocabulary_file).string());
  }
  return Tokenizer::from_vocabulary(train_wordpiece(read_lines(o.text_files), o.vocabulary),
                                    o.vocabulary.bert, o.output);
}

}  // namespace

int run_model_new(const Arguments& arguments) {
  NewModelOptions o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  if (!o.vocabulary_file) table.require("text");
  for (const char* training : {"text", "vocab_size", "min_frequency"}) {
    table.exclude("vocab", training);
  }
  table.require("output");
  std::vector<fs::path> inputs(o.text_files.begin(), o.text_files.end());
  if (o.vocabulary_file) inputs.emplace_back(*o.vocabulary_file);
  require_distinct_inputs(inputs);
  start_threads(o.threads);
  // Reports bad numbers before a vocabulary is trained.
  o.vocabulary.bert.model_max_length =
      make_config(o, o.vocabulary.vocab_size, /*pad=*/0).longest_input();
  NewDirectory output(o.output, "config.json");  // reports errors before the work
  const Tokenizer tokenizer = make_tokenizer(o);
  const ModelConfig config = make_config(o, static_cast<int32_t>(tokenizer.vocabulary_size()),
                                         tokenizer.special_tokens().pad);
  const auto model =
      QuestionAnsweringModel::create(config, static_cast<uint64_t>(o.seed), o.matrix_spread);
  output.fill([&](DirectoryWriter& writer) {
    model.save(writer);
    tokenizer.save(writer);
  });
  output.commit();
  emit("{}: {} layers, {} wide, {} parameters, {} vocabulary entries\n", o.output,
       config.num_hidden_layers, config.hidden_size, model.parameter_count(), config.vocab_size);
  return 0;
}

}  // namespace spanforge::app
