#include <fmt/core.h>

#include <iostream>
#include <optional>

#include "command.h"
#include "common.h"
#include "load_model.h"
#include "output.h"
#include "questions.h"
#include "spanforge/base/error.h"
#include "spanforge/base/file.h"
#include "spanforge/base/join.h"
#include "spanforge/base/utf8.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/inference/pipeline.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

struct Options {
  std::string model, context, context_file, input;
  std::optional<std::string> decoder;
  std::vector<std::string> questions;
  AskOptions ask;
  bool verify = false, json = false;
  std::string bf16 = "false";
  int32_t threads = 0;
};

Json to_json(const AskAnswer& answer) {
  return {{"score", answer.score},
          {"start", answer.span.start},
          {"end", answer.span.end},
          {"answer", answer.answer}};
}

// One answer as an object, several as a list: what the pipeline of Transformers returns.
std::string json_text(const std::vector<AskAnswer>& answers, const AskOptions& options,
                      const std::optional<std::string>& id) {
  std::vector<std::string> rows;
  for (const AskAnswer& answer : answers) {
    std::string row = dump_python_json(to_json(answer), {.ensure_ascii = false});
    if (id) row.replace(0, 1, fmt::format("{{\"id\": {}, ", *id));
    rows.push_back(std::move(row));
  }
  const std::string all = join(rows, ", ");
  return options.top_k == 1 && rows.size() == 1 ? all : fmt::format("[{}]", all);
}

void print_answers(const Options& o, const Asked& asked, const std::vector<AskAnswer>& answers) {
  if (o.json) return print(json_text(answers, o.ask, asked.id) + "\n");
  print(asked.text.question + "\n");
  for (const AskAnswer& answer : answers) print(python_str(to_json(answer)) + "\n");
}

// What the library says about a question names the question; here is where it came from.
std::vector<std::vector<AskAnswer>> ask(const Options& o, const Pipeline& pipeline,
                                        const std::vector<Asked>& questions) {
  std::vector<QuestionContext> texts;
  for (const Asked& asked : questions) texts.push_back(asked.text);
  try {
    return pipeline.answer(texts, o.ask);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUsage || error.place().starts_with("--")) throw;
    const bool from_file = !o.input.empty();
    throw Error(from_file ? ErrorCode::kBadData : ErrorCode::kUsage,
                fmt::format("{}: {}", from_file ? o.input : "--question", error.place()),
                error.reason());
  }
}

void answer_all(const Options& o, const Pipeline& pipeline, const std::vector<Asked>& questions) {
  const auto answers = ask(o, pipeline, questions);
  release_notes();
  for (size_t i = 0; i < questions.size(); ++i) print_answers(o, questions[i], answers[i]);
}

// A question a line, answered at once, until the input ends.
void prompt(const Options& o, const Pipeline& pipeline, const std::string& context) {
  release_notes();
  std::string question;
  while (!output_closed()) {
    if (stdin_is_terminal()) write_stderr("question> ");
    if (!std::getline(std::cin, question)) break;
    if (question.find_first_not_of(" \t\r") == std::string::npos) continue;
    try {
      answer_all(o, pipeline, {{{question, context, ""}, {}}});
      flush_output();
    } catch (const Error& error) {
      if (!stdin_is_terminal() || error.code() == ErrorCode::kIo) throw;
      note(error.what());  // a person can ask again
    }
  }
}

void declare(OptionTable& table, Options& o) {
  table(kModelOption, o.model);
  table({"context", "the text to answer from", ""}, o.context);
  table({"context_file", "file that holds the text to answer from (UTF-8)", ""}, o.context_file);
  table({"question", "a question; repeat for more; none: asked for one a line", ""}, o.questions);
  table({"input", "JSON lines with question, context and, if any, id", ""}, o.input);
  table({"top_k", "answers a question, best first", "> 0", "topk"}, o.ask.top_k);
  table({"decoder", "how logits become answers; default: as trained",
         "spanforge|pipeline|run_qa|recipe"},
        o.decoder);
  table(kMaxSeqLengthOption, o.ask.max_seq_length);
  table(kWindowOverlapOption, o.ask.window_overlap);
  table(kMaxAnswerLengthOption, o.ask.max_answer_length);
  table(
      {"handle_impossible_answer", "\"\" may be the answer; default: as the model was trained", ""},
      o.ask.handle_impossible_answer);
  table({"align_to_words", "decoder pipeline: answers are whole words", ""}, o.ask.align_to_words);
  table({"batch_size", "windows computed at once", "> 0"}, o.ask.batch_size);
  table({"bf16", "compute in bfloat16; auto: where the processor has it", "true|false|auto"},
        o.bf16);
  table.add_switch(kVerifyOption, o.verify);
  table.add_switch(kJsonOption, o.json);
  table(kThreadsOption, o.threads);
}

}  // namespace

int run_ask(const Arguments& arguments) {
  Options o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  table.exclude("context", "context_file");
  for (const char* other : {"context", "context_file", "question"}) table.exclude("input", other);
  if (o.input.empty() && !table.given("context") && !table.given("context_file")) {
    throw Error(ErrorCode::kUsage, "--context", "is required (or --context-file, or --input)");
  }
  if (o.decoder) o.ask.decoder = parse_decoder_kind(*o.decoder);
  start_threads(o.threads);
  std::vector<Asked> questions;
  if (!o.input.empty()) questions = read_questions(o.input);
  std::string context = o.context;
  if (!o.context_file.empty()) context = read_file(o.context_file);
  if (const auto at = find_invalid_utf8(context)) {
    throw Error(ErrorCode::kBadData, o.context_file.empty() ? "--context" : o.context_file,
                fmt::format("is not UTF-8 at byte {}", *at));
  }
  for (const std::string& question : o.questions) {
    questions.push_back({{question, context, ""}, {}});
  }
  const std::filesystem::path directory = resolve_model(o.model);
  refuse_other_weights(directory);
  if (o.verify) verify_model(directory);
  LoadReport report;
  const Pipeline pipeline =
      Pipeline::from_directory(directory, resolve_precision(o.bf16), &report);
  note_loaded(directory, report);
  if (questions.empty()) return prompt(o, pipeline, context), 0;
  answer_all(o, pipeline, questions);
  return 0;
}

}  // namespace spanforge::app
