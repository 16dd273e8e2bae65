// make_sample_data DIRECTORY: writes the generated part of data/sample/ (see its README.md), always
// the same bytes.
#include <cstdio>
#include <set>

#include <fmt/core.h>

#include "scene.h"
#include "spanforge/base/error.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/normalize.h"
#include "spanforge/io/file.h"

namespace spanforge::sample {
namespace {

constexpr uint64_t kSeed = 20240601;
// Scenes of each language. Held-out scenes have two or three facts. Training also has scenes of one
// fact: they cost half the time, and teach equally well what a question asks for.
constexpr FactCount kOneFact = {1, 1}, kFewFacts = {2, 3};
constexpr int kTrainScenes = 3500;
constexpr int kShortTrainScenes = 2500;
constexpr int kValidationScenes = 150;
constexpr int kAskScenes = 4;

// Every split has its own random stream and uses nothing that an earlier one contains.
class Generator {
 public:
  Dataset make_split(uint64_t number, const std::string& name, FactCount facts, int scenes) {
    Dataset dataset;
    dataset.version = "v2.0";
    std::set<std::string> questions, contexts;
    for (const Lexicon* words : {&chinese_lexicon(), &english_lexicon()}) {
      CounterStream random(combine(combine(kSeed, number), words->code == "zh" ? 1 : 2));
      for (int made = 0; made < scenes;) {
        made += add_scene(make_scene(*words, facts, random),
                          fmt::format("{}-{}-{:04}", words->code, name, made), dataset, contexts,
                          questions);
      }
    }
    seen_contexts_.merge(contexts);
    seen_questions_.merge(questions);
    return dataset;
  }

 private:
  // Adds the scene and returns true, unless earlier splits leave too little of it.
  bool add_scene(const Scene& scene, const std::string& title, Dataset& dataset,
                 std::set<std::string>& contexts, std::set<std::string>& questions) const {
    const std::string context = normalize_for_overlap(scene.context);
    if (seen_contexts_.count(context) > 0 || contexts.count(context) > 0) return false;
    std::vector<Example> examples;
    for (const SceneQuestion& question : scene.questions) {
      const std::string key = normalize_for_overlap(question.text);
      if (seen_questions_.count(key) > 0) continue;
      Example example;
      example.id = fmt::format("{}-{}", title, examples.size());
      example.title = title;
      example.question = question.text;
      example.context = dataset.contexts.size();
      example.is_impossible = question.answer.empty();
      if (!example.is_impossible)
        example.answers.push_back({question.answer, question.answer_start});
      examples.push_back(std::move(example));
    }
    if (examples.size() < 3) return false;
    contexts.insert(context);
    for (const Example& example : examples)
      questions.insert(normalize_for_overlap(example.question));
    dataset.contexts.push_back(scene.context);
    dataset.examples.insert(dataset.examples.end(), examples.begin(), examples.end());
    return true;
  }

  std::set<std::string> seen_contexts_, seen_questions_;
};

// Appends the examples of `more` to those of `to`.
void append(const Dataset& more, Dataset& to) {
  for (Example example : more.examples) {
    example.context += to.contexts.size();
    to.examples.push_back(std::move(example));
  }
  to.contexts.insert(to.contexts.end(), more.contexts.begin(), more.contexts.end());
}

// Contexts and questions, one per line, to train a vocabulary on.
std::string plain_text(const Dataset& dataset) {
  std::string text;
  size_t context = SIZE_MAX;
  for (const Example& example : dataset.examples) {
    if (example.context != context) text += dataset.context_of(example) + "\n";
    context = example.context;
    text += example.question + "\n";
  }
  return text;
}

// One answerable question of each scene: "context<TAB>question".
std::string ask_lines(const Dataset& dataset) {
  std::string lines;
  size_t context = SIZE_MAX;
  for (const Example& example : dataset.examples) {
    if (example.context == context || example.answers.empty()) continue;
    context = example.context;
    lines += dataset.context_of(example) + "\t" + example.question + "\n";
  }
  return lines;
}

void write_all(const fs::path& directory) {
  Generator generator;
  Dataset train = generator.make_split(1, "train", kFewFacts, kTrainScenes);
  const Dataset validation = generator.make_split(2, "validation", kFewFacts, kValidationScenes);
  const Dataset ask = generator.make_split(3, "ask", kFewFacts, kAskScenes);
  // Drawn last, so that the held-out scenes do not depend on how many there are.
  append(generator.make_split(4, "short", kOneFact, kShortTrainScenes), train);
  spanforge::create_directories(directory);
  save_squad(train, AtomicFile(directory / "train.json"));
  save_squad(validation, AtomicFile(directory / "validation.json"));
  write_file_atomic(directory / "text.txt", plain_text(train));
  write_file_atomic(directory / "ask.tsv", ask_lines(ask));
}

}  // namespace
}  // namespace spanforge::sample

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "make_sample_data: give the directory to write to\n");
    return 2;
  }
  try {
    spanforge::sample::write_all(argv[1]);
  } catch (const spanforge::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return spanforge::exit_code(error.code());
  }
  return 0;
}
