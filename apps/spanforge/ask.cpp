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
#include "ranks.h"
#include "spanforge/base/error.h"
#include "spanforge/base/join.h"
#include "spanforge/base/utf8.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/io/input_file.h"
#include "spanforge/model/load_report.h"
#include "spanforge/parallel/together.h"
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
  RankOptions ranks;
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

std::string answers_text(const AskCommandOptions& o, const Asked& asked,
                         const std::vector<AskAnswer>& answers) {
  if (o.json) return json_text(answers, o.ask, asked.id) + "\n";
  std::string text = asked.text.question + "\n";
  for (const AskAnswer& answer : answers) text += python_str(answer_to_json(answer)) + "\n";
  return text;
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
  for (size_t i = 0; i < questions.size(); ++i) print(answers_text(o, questions[i], answers[i]));
}

// Printed instead of a bad row's answer. An unknown id is null.
std::string row_error_text(const AskCommandOptions& o, const Asked& asked, const Error& error) {
  const std::string id = asked.id.value_or("null");
  const Json said = {{"error", with_flags(error).what()}};
  std::string row = dump_python_json(said, {.ensure_ascii = false});
  row.replace(0, 1, fmt::format("{{\"id\": {}, ", id));
  const bool shows_question = !o.json && !asked.text.question.empty();
  return (shows_question ? asked.text.question + "\n" : "") + row + "\n";
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

// What is printed for some rows, and how many there were.
struct RowsText {
  std::string text;
  int64_t total = 0, bad = 0;
  std::optional<Error> error;  // of the row after the last one that is printed; ends the command
};

RowsText text_of_rows(const AskCommandOptions& o, const Pipeline& pipeline,
                      const QuestionReader& reader, std::vector<QuestionRow>& rows) {
  RowsText said;
  const std::vector<AskResult> results = answer_rows(o, pipeline, reader, rows);
  for (size_t i = 0; i < rows.size(); ++i, ++said.total) {
    if (rows[i].error && o.on_bad_row == OnBadRow::kError) {
      said.error = rows[i].error;
      return said;
    }
    said.bad += rows[i].error.has_value();
    said.text += rows[i].error ? row_error_text(o, rows[i].asked, *rows[i].error)
                               : answers_text(o, rows[i].asked, results[i].answers);
  }
  return said;
}

void finish_input(const QuestionReader& reader, int64_t total, int64_t bad) {
  if (total == 0 && !output_closed()) {
    throw Error(ErrorCode::kBadData, reader.name(), "holds no question");
  }
  if (bad > 0) {
    note(fmt::format("{}: {} of {} rows could not be answered; each says why in its place",
                     reader.name(), bad, total));
  }
}

// Prints each answer before it waits for the next row. Rows that have arrived already are
// answered together.
void answer_input(const AskCommandOptions& o, const Pipeline& pipeline, QuestionReader& reader) {
  int64_t total = 0, bad = 0;
  while (!output_closed()) {
    std::vector<QuestionRow> rows = next_rows(o, reader);
    if (rows.empty()) break;
    const RowsText said = text_of_rows(o, pipeline, reader, rows);
    if (total == 0 && said.total > 0) release_notes();
    print(said.text);
    if (said.error) throw Error(*said.error);
    total += said.total;
    bad += said.bad;
    flush_output();
  }
  finish_input(reader, total, bad);
}

// The same by several processes, which all read the file: each answers every size()th block of
// rows, and rank 0 prints. Memory: one block on each rank, and the text of all on rank 0.
void answer_input_together(const AskCommandOptions& o, const Pipeline& pipeline,
                           QuestionReader& reader, Group& group) {
  struct Counts {
    int64_t total = 0, bad = 0;
  } all;
  for (bool more = true; more;) {
    RowsText mine;
    more = false;
    work_together(group, [&] {
      for (int rank = 0; rank < group.size(); ++rank) {
        std::vector<QuestionRow> rows = next_rows(o, reader);
        more |= !rows.empty();
        if (rank == group.rank()) mine = text_of_rows(o, pipeline, reader, rows);
      }
    });
    const std::vector<std::string> texts = gather_texts(group, mine.text);
    const std::vector<std::string> errors =
        gather_texts(group, mine.error ? mine.error->what() : "");
    const auto counts = group.all_gather_value(Counts{mine.total, mine.bad});
    work_together(group, [&] {
      for (size_t rank = 0; rank < texts.size(); ++rank) {
        if (all.total == 0 && counts[rank].total > 0) release_notes();
        print(texts[rank]);
        all.total += counts[rank].total;
        all.bad += counts[rank].bad;
        if (errors[rank].empty()) continue;
        if (rank == static_cast<size_t>(group.rank())) throw Error(*mine.error);
        throw Error(ErrorCode::kBadData, {.where = fmt::format("rank {}", rank)}, errors[rank]);
      }
      flush_output();
    });
    more &= group.all_gather_value(static_cast<char>(output_closed())).front() == 0;
  }
  finish_input(reader, all.total, all.bad);
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

Pipeline load_pipeline(const AskCommandOptions& o, const ModelDirectory& directory) {
  refuse_other_weights(directory.base);
  if (o.verify) verify_model(directory);
  LoadReport report;
  Pipeline pipeline =
      Pipeline::from_directory(directory, resolve_precision(o.bf16), &report, o.threads);
  note_loaded(directory, report);
  return pipeline;
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
  add_rank_options(table, o.ranks);
}

// Each process must read the same rows by itself.
void require_shared_input(const AskCommandOptions& o, const Group& group) {
  if (group.size() == 1) return;
  if (o.input.empty()) {
    throw Error(ErrorCode::kUsage, {.parameter = "input"},
                fmt::format("is needed: {} processes were started, which answer a file of "
                            "questions",
                            group.size()));
  }
  if (!InputLines(o.input).is_regular()) {
    throw Error(ErrorCode::kUsage, {.parameter = "input"},
                fmt::format("{} is not a regular file, which each of {} processes could read",
                            input_name(o.input).string(), group.size()));
  }
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
  const std::unique_ptr<Group> group = join_ranks(o.ranks, o.threads);
  start_threads(o.threads);
  std::optional<QuestionReader> reader;
  std::vector<Asked> questions;
  std::string context = o.context;
  std::optional<Pipeline> pipeline;
  ModelDirectory directory;
  work_together(*group, [&] {
    require_shared_input(o, *group);
    if (!o.input.empty()) {
      reader.emplace(o.input);
      if (o.on_bad_row == OnBadRow::kError) reader->check_all();
    }
    if (!o.context_file.empty()) context = read_input(o.context_file);
    if (const auto at = find_invalid_utf8(context)) {
      const ErrorPlace place = o.context_file.empty()
                                   ? ErrorPlace{.parameter = "context"}
                                   : ErrorPlace{.file = input_name(o.context_file).string()};
      throw Error(ErrorCode::kBadData, place, fmt::format("is not UTF-8 at byte {}", *at));
    }
    for (const std::string& question : o.questions) {
      questions.push_back({{question, context, ""}, {}});
    }
    directory = resolve_model(o.model);
    pipeline.emplace(load_pipeline(o, directory));
  });
  if (reader && group->size() > 1) {
    require_same_model(*group, directory);
    require_same_input(*group, o.input);
    return answer_input_together(o, *pipeline, *reader, *group), 0;
  }
  if (reader) return answer_input(o, *pipeline, *reader), 0;
  if (questions.empty()) return prompt(o, *pipeline, context), 0;
  answer_all(o, *pipeline, questions);
  return 0;
}

}  // namespace spanforge::app
