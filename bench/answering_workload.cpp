// answering_workload MODEL QUESTIONS.jsonl THREADS f32|bf16 one|all
// Text in, answers out, by the pipeline's decoder. QUESTIONS: an object with "question" and
// "context" per line. "run K N" answers every question whose number is K modulo N: one call per
// question, or one call for all of them.

#include <sstream>
#include <string>
#include <vector>

#include "spanforge/base/threads.h"
#include "spanforge/inference/pipeline.h"
#include "spanforge/io/file.h"
#include "workload.h"

namespace spanforge::bench {
namespace {

std::vector<QuestionContext> read_questions(const char* file) {
  std::vector<QuestionContext> questions;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    const Json json = parse_json(line, "request", ErrorCode::kBadData);
    questions.push_back({json.at("question").as_string(), json.at("context").as_string(), ""});
  }
  return questions;
}

Json texts(const std::vector<std::vector<AskAnswer>>& answers) {
  Json texts = Json::array();
  for (const auto& best : answers) texts.push_back(best.front().answer);
  return texts;
}

}  // namespace
}  // namespace spanforge::bench

int main(int argc, char** argv) {
  using namespace spanforge;
  if (argc != 6) return 2;
  return bench::guarded([&] {
    set_thread_count(std::stoi(argv[3]));
    const Precision precision = std::string(argv[4]) == "bf16" ? Precision::kBF16 : Precision::kF32;
    const bool at_once = std::string(argv[5]) == "all";
    const Pipeline pipeline =
        Pipeline::from_directory(argv[1], precision, nullptr, std::stoi(argv[3]));
    const std::vector<QuestionContext> questions = bench::read_questions(argv[2]);
    AskOptions options;
    options.decoder = DecoderKind::kPipeline;
    pipeline.answer({questions.front()}, options);
    bench::answer_runs([&](size_t part, size_t parts) -> Json {
      std::vector<QuestionContext> asked;
      for (size_t i = part; i < questions.size(); i += parts) asked.push_back(questions[i]);
      if (at_once) return {{"answers", bench::texts(pipeline.answer(asked, options))}};
      Json answers = Json::array();
      for (const QuestionContext& question : asked) {
        answers.push_back(bench::texts(pipeline.answer({question}, options)).front());
      }
      return {{"answers", std::move(answers)}};
    });
  });
}
