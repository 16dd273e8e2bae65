#include <iostream>
#include <optional>

#include <fmt/core.h>

#include "answer_options.h"
#include "command.h"
#include "common.h"
#include "flags.h"
#include "load_model.h"
#include "output.h"
#include "questions.h"
#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/base/utf8.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/io/input_file.h"
#include "spanforge/model/load_report.h"
#include "start_threads.h"

namespace spanforge::app {
namespace {

enum class OnBadRow { kError, kSkip };
constexpr auto spellings(OnBadRow) {
  return std::to_array<Spelling<OnBadRow>>(
      {{"error", OnBadRow::kError}, {"skip", OnBadRow::kSkip}});
}

struct AskCommandOptions {
  std::string model, context, context_file, input;
  OnBadRow on_bad_row = OnBadRow::kError;
  std::vector<std::string> questions;
  AskOptions ask;
  bool verify = false, json = false;
  AutoBool bf16 = AutoBool::kFalse;
  int32_t threads = 0;
};

Json answer_to_json(const AskAnswer& answer) {
  return {{"score", answer.score},
          {"start", answer.span.start},
          {"end", answer.span.end},
          {"answer", answer.answer}};
}

// One answer as an object, several as a list, as Transformers' pipeline returns them.
std::string json_text(const std::vector<AskAnswer>& answers, const AskOptions& options,
                      const std::optional<std::string>& id) {
  std::vector<std::string> rows;
  for (const AskAnswer& answer : answers) {
    std::string row = dump_python_json(answer_to_json(answer), {.ensure_ascii = false});
    if (id) row.replace(0, 1, fmt::format("{{\"id\": {}, ", *id));
    rows.push_back(std::move(row));
  }
  const std::string all = join(rows, ", ");
  return options.top_k.value_or(1) == 1 && rows.size() == 1 ? all : fmt::format("[{}]", all);
}

void print_answers(const AskCommandOptions& o, const Asked& asked,
                   const std::vector<AskAnswer>& answers) {
  if (o.json) return print(json_text(answers, o.ask, asked.id) + "\n");
  print(asked.text.question + "\n");
  for (const AskAnswer& answer : answers) print(python_str(answer_to_json(answer)) + "\n");
}

// The library's errors name the question; this adds where it came from.
std::vector<std::vector<AskAnswer>> ask(const AskCommandOptions& o, const Pipeline& pipeline,
                                        const std::vector<Asked>& questions) {
  std::vector<QuestionContext> texts;
  for (const Asked& asked : questions) texts.push_back(asked.text);
  try {
    return pipeline.answer(texts, o.ask);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUsage || !error.parameter().empty()) throw;
    throw error.with_place({.where = error.where(), .parameter = "question"});
  }
}

void answer_all(const AskCommandOptions& o, const Pipeline& pipeline,
                const std::vector<Asked>& questions) {
  const auto answers = ask(o, pipeline, questions);
  release_notes();
  for (size_t i = 0; i < questions.size(); ++i) print_answers(o, questions[i], answers[i]);
}

// Printed instead of a bad row's answer. An unknown id is null.
void print_row_error(const AskCommandOptions& o, const Asked& asked, const Error& error) {
  const std::string id = asked.id.value_or("null");
  const Json said = {{"error", with_flags(error).what()}};
  std::string row = dump_python_json(said, {.ensure_ascii = false});
  row.replace(0, 1, fmt::format("{{\"id\": {}, ", id));
  if (!o.json && !asked.text.question.empty()) print(asked.text.question + "\n");
  print(row + "\n");
}

// The rows that have arrived, up to the first bad one that ends the command; none: the end.
std::vector<QuestionRow> next_rows(const AskCommandOptions& o, QuestionReader& reader) {
  constexpr size_t kRows = 1024, kBytes = size_t{4} << 20;
  std::vector<QuestionRow> rows;
  for (size_t bytes = 0; rows.size() < kRows && bytes < kBytes;) {
    if (!rows.empty() && !reader.ready()) break;
    std::optional<QuestionRow> row = reader.next();
    if (!row) break;
    bytes += row->asked.text.question.size() + row->asked.text.context.size();
    rows.push_back(std::move(*row));
    if (rows.back().error && o.on_bad_row == OnBadRow::kError) break;
  }
  return rows;
}

// Answers the rows' questions, and records for each row why it has no answer.
std::vector<AskResult> answer_rows(const AskCommandOptions& o, const Pipeline& pipeline,
                                   const QuestionReader& reader, std::vector<QuestionRow>& rows) {
  std::vector<QuestionContext> texts;
  for (const QuestionRow& row : rows) {
    if (!row.error) texts.push_back(row.asked.text);
  }
  std::vector<AskResult> answered = pipeline.answer_each(texts, o.ask);
  std::vector<AskResult> results(rows.size());
  for (size_t i = 0, next = 0; i < rows.size(); ++i) {
    if (rows[i].error) continue;
    results[i] = std::move(answered[next++]);
    if (!results[i].error) continue;
    const std::string line = fmt::format("line {}", rows[i].line);
    rows[i].error =
        Error(ErrorCode::kBadData, row_place(reader.name(), line, rows[i].asked.text.id),
              results[i].error->reason());
  }
  return results;
}

// Prints each answer before it waits for the next row. Rows that have arrived already are
// answered together.
void answer_input(const AskCommandOptions& o, const Pipeline& pipeline, QuestionReader& reader) {
  int64_t total = 0, bad = 0;
  while (!output_closed()) {
    std::vector<QuestionRow> rows = next_rows(o, reader);
    if (rows.empty()) break;
    const std::vector<AskResult> results = answer_rows(o, pipeline, reader, rows);
    for (size_t i = 0; i < rows.size(); ++i, ++total) {
      if (rows[i].error && o.on_bad_row == OnBadRow::kError) throw Error(*rows[i].error);
      if (total == 0) release_notes();
      if (rows[i].error) {
        print_row_error(o, rows[i].asked, *rows[i].error);
        ++bad;
      } else {
        print_answers(o, rows[i].asked, results[i].answers);
      }
    }
    flush_output();
  }
  if (total == 0 && !output_closed()) {
    throw Error(ErrorCode::kBadData, reader.name(), "holds no question");
  }
  if (bad > 0) {
    note(fmt::format("{}: {} of {} rows could not be answered; each says why in its place",
                     reader.name(), bad, total));
  }
}

// Answers one question per line at once, until the input ends.
void prompt(const AskCommandOptions& o, const Pipeline& pipeline, const std::string& context) {
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
      note(with_flags(error).what());  // a person can ask again
    }
  }
}

void declare(OptionTable& table, AskCommandOptions& o) {
  table(kModelOption, o.model);
  table({"context", "the text to answer from", ""}, o.context);
  table({"context_file", "file that holds the text to answer from (UTF-8); -: standard input", ""},
        o.context_file);
  table({"question", "a question; repeat for more; default: asks for questions, one per line", ""},
        o.questions);
  table({"input", "JSON lines with question, context and, optionally, id; -: standard input", ""},
        o.input);
  table({"on_bad_row",
         "with --input: if a row cannot be answered: stop, or print its id and the error in its "
         "place",
         ""},
        o.on_bad_row);
  declare_ask_options(table, o.ask);
  table({"bf16", "compute in bfloat16; auto: if the processor has it", ""}, o.bf16);
  table.add_switch(kVerifyOption, o.verify);
  table.add_switch(kJsonOption, o.json);
  table(kThreadsOption, o.threads);
}

}  // namespace

int run_ask(const Arguments& arguments) {
  AskCommandOptions o;
  OptionTable table;
  declare(table, o);
  if (!table.parse(arguments)) return 0;
  table.require("model");
  table.exclude("context", "context_file");
  for (const char* other : {"context", "context_file", "question"}) table.exclude("input", other);
  if (o.input.empty() && !table.given("context") && !table.given("context_file")) {
    throw Error(ErrorCode::kUsage, {.parameter = "context"},
                "is required (or --context-file, or --input)");
  }
  table.need("on_bad_row", "input");
  if (o.questions.empty() && is_standard_input(o.context_file)) {
    throw Error(ErrorCode::kUsage, {.parameter = "context_file"},
                "is standard input, but the questions come from there, too; give --question");
  }
  start_threads(o.threads);
  std::optional<QuestionReader> reader;
  if (!o.input.empty()) {
    reader.emplace(o.input);
    if (o.on_bad_row == OnBadRow::kError) reader->check_all();
  }
  std::string context = o.context;
  if (!o.context_file.empty()) context = read_input(o.context_file);
  if (const auto at = find_invalid_utf8(context)) {
    const ErrorPlace place = o.context_file.empty()
                                 ? ErrorPlace{.parameter = "context"}
                                 : ErrorPlace{.file = input_name(o.context_file).string()};
    throw Error(ErrorCode::kBadData, place, fmt::format("is not UTF-8 at byte {}", *at));
  }
  std::vector<Asked> questions;
  for (const std::string& question : o.questions) {
    questions.push_back({{question, context, ""}, {}});
  }
  const ModelDirectory directory = resolve_model(o.model);
  refuse_other_weights(directory.base);
  if (o.verify) verify_model(directory);
  LoadReport report;
  const Pipeline pipeline =
      Pipeline::from_directory(directory, resolve_precision(o.bf16), &report, o.threads);
  note_loaded(directory, report);
  if (reader) return answer_input(o, pipeline, *reader), 0;
  if (questions.empty()) return prompt(o, pipeline, context), 0;
  answer_all(o, pipeline, questions);
  return 0;
}

}  // namespace spanforge::app
