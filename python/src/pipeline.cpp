#include "spanforge/inference/pipeline.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "answer_options.h"
#include "bindings.h"
#include "call.h"
#include "common.h"
#include "convert.h"
#include "load_model.h"
#include "load_options.h"
#include "output.h"
#include "spanforge/formats/other_weights.h"
#include "spanforge/model/load_report.h"
#include "spanforge/ops/gemm.h"

namespace nb = nanobind;

namespace spanforge::python {

void declare_load_options(app::OptionTable& table, LoadOptions& options) {
  table({"bf16", "compute in bfloat16; auto: if the processor has it", ""}, options.bf16);
  table.add_switch(app::kVerifyOption, options.verify);
  table(app::kThreadsOption, options.threads);
}

Precision precision_of(AutoBool bf16) {
  const bool use = bf16 == AutoBool::kTrue || (bf16 == AutoBool::kAuto && ops::bf16_is_fast());
  return use ? Precision::kBF16 : Precision::kF32;
}

ModelDirectory find_model(const std::string& model, bool verify) {
  ModelDirectory directory = app::resolve_model(model);
  app::release_notes();  // about the hub
  refuse_other_weights(directory.base);
  if (verify) app::verify_model(directory);
  return directory;
}

namespace {

struct HeldPipeline {
  Pipeline pipeline;
};

HeldPipeline* load_pipeline(const std::string& model, const nb::dict& options) {
  const OptionTexts texts = option_texts(options);
  const Call call;
  LoadOptions wanted;
  app::OptionTable table;
  declare_load_options(table, wanted);
  apply(texts, table);
  const ModelDirectory directory = find_model(model, wanted.verify);
  LoadReport report;
  return new HeldPipeline{
      Pipeline::from_directory(directory, precision_of(wanted.bf16), &report, wanted.threads)};
}

AskOptions ask_options(const OptionTexts& texts) {
  AskOptions options;
  app::OptionTable table;
  app::declare_ask_options(table, options);
  apply(texts, table);
  return options;
}

// Checks options before the first question is there.
void check_options(const nb::dict& options) { ask_options(option_texts(options)); }

// [{"score", "start", "end", "answer"}] of each question.
nb::list answer(const HeldPipeline& held, const nb::list& questions, const nb::list& contexts,
                const nb::dict& options) {
  std::vector<QuestionContext> asked(nb::len(questions));
  for (size_t i = 0; i < asked.size(); ++i) {
    asked[i] = {text_of(questions[i]), text_of(contexts[i]), ""};
  }
  const OptionTexts texts = option_texts(options);
  std::vector<std::vector<AskAnswer>> answers;
  {
    const Call call;
    answers = held.pipeline.answer(asked, ask_options(texts));
  }
  nb::list all;
  for (const std::vector<AskAnswer>& one : answers) {
    nb::list list;
    for (const AskAnswer& answer : one) {
      nb::dict dict;
      dict["score"] = answer.score;
      dict["start"] = answer.span.start;
      dict["end"] = answer.span.end;
      dict["answer"] = answer.answer;
      list.append(dict);
    }
    all.append(list);
  }
  return all;
}

nb::list ask_option_rows() {
  AskOptions options;
  app::OptionTable table;
  app::declare_ask_options(table, options);
  return rows_of(table);
}

nb::list load_option_rows() {
  LoadOptions options;
  app::OptionTable table;
  declare_load_options(table, options);
  return rows_of(table);
}

}  // namespace

void bind_pipeline(nb::module_& module) {
  nb::class_<HeldPipeline>(module, "Pipeline")
      .def_static("load", load_pipeline, nb::arg("model"), nb::arg("options"))
      .def("answer", answer, nb::arg("questions"), nb::arg("contexts"), nb::arg("options"));
  module.def("check_ask_options", check_options, nb::arg("options"));
  module.def("ask_options", ask_option_rows);
  module.def("load_options", load_option_rows);
}

}  // namespace spanforge::python
