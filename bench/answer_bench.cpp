// Measures answering within one process: `answer_bench MODEL [DATA.json [COUNT]]`. Text in, answers
// out: tokens, windows, encoder, decoder. MODEL is a model's directory (random weights will do);
// DATA is SQuAD-style data, COUNT questions of which are asked, spread evenly over the file.
// Each benchmark runs in every precision that MODEL can be loaded in. eight_callers is a server's
// use: eight threads ask one pipeline at the same time, each for one short question
// (docs/library.md).

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <benchmark/benchmark.h>

#include "spanforge/base/threads.h"
#include "spanforge/data/dataset.h"
#include "spanforge/inference/pipeline.h"

namespace spanforge {
namespace {

const char* const kContext = "陈伟今天很难过，原因是比赛输给了对手。陈伟在超市买了十件衬衫。";
const char* const kQuestions[] = {"陈伟擅长什么？", "陈伟为什么很难过？", "陈伟买了几件衬衫？",
                                  "谁今天很难过？"};

std::vector<QuestionContext> short_questions(size_t count) {
  std::vector<QuestionContext> questions;
  for (size_t i = 0; i < count; ++i) questions.push_back({kQuestions[i % 4], kContext, ""});
  return questions;
}

std::vector<QuestionContext> questions_of(const Dataset& dataset, size_t count) {
  std::vector<QuestionContext> questions;
  const size_t kept = std::min(count, dataset.examples.size());
  for (size_t i = 0; i < kept; ++i) {
    const Example& example = dataset.examples[i * dataset.examples.size() / kept];
    questions.push_back({example.question, dataset.context_of(example), example.id});
  }
  return questions;
}

void ask(benchmark::State& state, const std::string& model, Precision precision,
         const std::vector<QuestionContext>& questions) {
  const Pipeline pipeline = Pipeline::from_directory(model, precision);
  pipeline.answer(questions.size() > 100 ? short_questions(4) : questions);
  for (auto _ : state) benchmark::DoNotOptimize(pipeline.answer(questions));
  const auto asked = static_cast<double>(state.iterations() * questions.size());
  state.counters["questions/s"] = benchmark::Counter(asked, benchmark::Counter::kIsRate);
}

void eight_callers(benchmark::State& state, const std::string& model, Precision precision,
                   int threads) {
  constexpr size_t kCallers = 8;
  constexpr size_t kQuestionsOfEach = 25;
  const Pipeline pipeline = Pipeline::from_directory(model, precision, nullptr, threads);
  pipeline.answer(short_questions(1));
  for (auto _ : state) {
    std::vector<std::jthread> callers;
    for (size_t i = 0; i < kCallers; ++i) {
      callers.emplace_back([&] {
        for (size_t k = 0; k < kQuestionsOfEach; ++k) pipeline.answer(short_questions(1));
      });
    }
  }
  const auto asked = static_cast<double>(state.iterations() * kCallers * kQuestionsOfEach);
  state.counters["questions/s"] = benchmark::Counter(asked, benchmark::Counter::kIsRate);
}

void load_and_answer(benchmark::State& state, const std::string& model, Precision precision) {
  for (auto _ : state) {
    const Pipeline pipeline = Pipeline::from_directory(model, precision);
    benchmark::DoNotOptimize(pipeline.answer(short_questions(1)));
  }
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc < 2) {
    std::fprintf(stderr, "usage: answer_bench MODEL [DATA.json [COUNT]] [--benchmark_...]\n");
    return 2;
  }
  set_thread_count(0);
  const std::string model = argv[1];
  const size_t count = argc > 3 ? std::stoul(argv[3]) : 1000;
  std::vector<QuestionContext> data;
  if (argc > 2) data = questions_of(load_dataset(argv[2]), count);
  for (const auto& [name, precision] :
       {std::pair<std::string, Precision>{"f32", Precision::kF32}, {"bf16", Precision::kBF16}}) {
    const auto add = [&](const std::string& what, const auto& body) {
      benchmark::RegisterBenchmark((what + "/" + name).c_str(), body)
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    };
    add("one_short", [=](benchmark::State& s) { ask(s, model, precision, short_questions(1)); });
    add("four_short", [=](benchmark::State& s) { ask(s, model, precision, short_questions(4)); });
    if (!data.empty()) {
      add("data", [=](benchmark::State& s) { ask(s, model, precision, data); });
    }
    for (const auto& [kind, threads] :
         {std::pair<std::string, int>{"1_thread", 1}, {"all_threads", 0}}) {
      add("eight_callers/" + kind,
          [=](benchmark::State& s) { eight_callers(s, model, precision, threads); });
    }
    add("load", [=](benchmark::State& s) { load_and_answer(s, model, precision); });
  }
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace
}  // namespace spanforge

int main(int argc, char** argv) { return spanforge::run(argc, argv); }
