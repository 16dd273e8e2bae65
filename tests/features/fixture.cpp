#include "features/fixture.h"

#include "spanforge/base/random.h"
#include "support/testing.h"

namespace spanforge::testing {

Tokenizer make_tokenizer() {
  std::vector<std::string> vocabulary = {"[PAD]", "[UNK]",  "[CLS]", "[SEP]", "[MASK]",
                                         "new",   "##york", "york",  "city",  "who",
                                         "?",     ".",      ","};
  for (int i = 0; i < 10; ++i) vocabulary.push_back("w" + std::to_string(i));
  return Tokenizer::from_vocabulary(vocabulary, {}, "test vocabulary");
}

Dataset make_dataset(const std::string& context, const std::string& question,
                     std::vector<Answer> answers) {
  Dataset dataset;
  dataset.file = "set.json";
  dataset.contexts = {context};
  Example example;
  example.id = "q1";
  example.question = question;
  example.answers = std::move(answers);
  example.place = "data[0]";
  dataset.examples = {example};
  return dataset;
}

FeatureOptions make_options(int32_t length, int32_t overlap) {
  FeatureOptions options;
  options.windows = {length, overlap};
  return options;
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i > 0 ? " w" : "w") + std::to_string(i % 10);
  return text;
}

Dataset random_dataset(int examples) {
  CounterStream random(test_seed());
  Dataset dataset;
  for (int i = 0; i < 50; ++i)
    dataset.contexts.push_back(words(static_cast<int>(random.next_below(90))));
  for (int i = 0; i < examples; ++i) {
    Example example;
    example.id = std::to_string(i);
    example.question = words(static_cast<int>(random.next_below(6)));
    example.context = random.next_below(50);
    const std::string& context = dataset.contexts[example.context];
    if (context.size() > 10) {
      const size_t start = random.next_below(context.size() / 3) * 3;
      example.answers = {
          {context.substr(start, 2 + 3 * random.next_below(4)), static_cast<int64_t>(start)}};
    }
    dataset.examples.push_back(example);
  }
  return dataset;
}

}  // namespace spanforge::testing
