#include "spanforge/data/convert.h"

#include <algorithm>

#include "spanforge/base/random.h"
#include "spanforge/base/utf8.h"
#include "spanforge/io/file.h"
#include "spanforge/io/json_file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::TemporaryDirectory;

constexpr DataForm kForms[] = {DataForm::kNested, DataForm::kFlat, DataForm::kLines, DataForm::kCsv,
                               DataForm::kLabelStudio};

std::string random_text(CounterStream& random, uint64_t most) {
  constexpr std::string_view kPieces[] = {
      "a", "Ann ",     "\"", ",",  ";", "\t", "\n", "\r\n", "\r",  "é", "e\u0301",
      "😀", "👍🏽", "谁", "\\", "{", "[",  "'",  "nan",  "\\n", " ", "\u2028"};
  std::string text;
  for (uint64_t n = 1 + random.next_below(most); n > 0; --n)
    text += kPieces[random.next_below(std::size(kPieces))];
  return text;
}

Dataset random_dataset(CounterStream& random) {
  Dataset set;
  const uint64_t most_answers = 1 + random.next_below(3);
  for (uint64_t c = 0, contexts = 1 + random.next_below(3); c < contexts; ++c) {
    set.contexts.push_back("k" + random_text(random, 20) + "z");
    const std::u32string context = decode_utf8(set.contexts.back());
    for (uint64_t q = random.next_below(4); q > 0; --q) {
      Example example;
      example.id = "id \"" + std::to_string(set.examples.size()) + "\", " + random_text(random, 2);
      example.title = c == 0 ? "" : random_text(random, 2);
      example.question = "q" + random_text(random, 5);
      example.context = c;
      for (uint64_t a = random.next_below(most_answers + 1); a > 0; --a) {
        const uint64_t start = random.next_below(context.size()),
                       size = 1 + random.next_below(context.size() - start);
        example.answers.push_back(
            {encode_utf8(context.substr(start, size)), static_cast<int64_t>(start)});
        // The tool keeps one of two equal answers.
        if (a > 1 && example.answers.size() > 1) break;
      }
      if (example.answers.size() == 2 && example.answers[0] == example.answers[1])
        example.answers.pop_back();
      set.examples.push_back(std::move(example));
    }
  }
  return set;
}

// Every form gives back the same texts, answers, starts and ids.
TEST(Convert, RoundTripsEveryForm) {
  const TemporaryDirectory directory;
  CounterStream random(testing::test_seed());
  int several = 0, none = 0;
  for (int round = 0; round < 60; ++round) {
    const Dataset set = random_dataset(random);
    const bool answered =
        std::ranges::any_of(set.examples, [](const Example& e) { return !e.answers.empty(); });
    if (set.examples.empty() || !answered) continue;
    for (const DataForm form : kForms) {
      SCOPED_TRACE("round " + std::to_string(round) + ", form " +
                   std::to_string(static_cast<int>(form)));
      const fs::path file = directory / "copy";
      write_dataset(set, form, AtomicFile(file));
      SCOPED_TRACE(read_file(file));
      const Dataset again = load_dataset(file);
      ASSERT_EQ(again.examples.size(), set.examples.size());
      for (size_t i = 0; i < set.examples.size(); ++i) {
        const Example &a = set.examples[i], &b = again.examples[i];
        EXPECT_EQ(b.id, a.id);
        EXPECT_EQ(b.title, a.title);
        EXPECT_EQ(b.question, a.question);
        EXPECT_EQ(again.context_of(b), set.context_of(a));
        EXPECT_EQ(b.answers, a.answers);
        EXPECT_EQ(b.is_impossible, a.answers.empty());
        several += a.answers.size() > 1;
        none += a.answers.empty();
      }
    }
  }
  EXPECT_GT(several, 0);
  EXPECT_GT(none, 0);
}

TEST(Convert, KeepsAnswersThatAreNotWhereTheySay) {
  const TemporaryDirectory directory;
  Dataset set;
  set.contexts = {"Ann sings."};
  set.examples.resize(2);
  set.examples[0] = {"a", "", "q", 0, {{"sings", 2}, {"Bob", -1}}, false, ""};
  set.examples[1] = {"b", "", "q", 0, {{"None", 3}, {"[x]", 500}}, false, ""};
  for (const DataForm form : kForms) {
    SCOPED_TRACE(static_cast<int>(form));
    write_dataset(set, form, AtomicFile(directory / "copy"));
    const Dataset again = load_dataset(directory / "copy");
    ASSERT_EQ(again.examples.size(), 2u);
    EXPECT_EQ(again.examples[0].answers, set.examples[0].answers);
    EXPECT_EQ(again.examples[1].answers, set.examples[1].answers);
  }
}

TEST(Convert, WritesABlindSetWithoutReferences) {
  const TemporaryDirectory directory;
  const Dataset set =
      read_dataset_text(R"([{"id": "a", "context": "c", "question": "q"}])", "a.json");
  ASSERT_TRUE(set.blind);
  for (const DataForm form : kForms) {
    SCOPED_TRACE(static_cast<int>(form));
    write_dataset(set, form, AtomicFile(directory / "copy"));
    const std::string text = read_file(directory / "copy");
    EXPECT_EQ(text.find("is_impossible"), std::string::npos) << text;
    EXPECT_EQ(text.find("answer"), std::string::npos) << text;
    EXPECT_TRUE(load_dataset(directory / "copy").blind);
  }
}

TEST(Convert, WritesTablesAsSpreadsheetsRead) {
  const TemporaryDirectory directory;
  const Dataset set = read_dataset_text(
      R"([{"id": "a", "context": "Ann \"sings\".\n", "question": "Who, then?", "answers": [{"text": "Ann", "answer_start": 0}]},
          {"id": "b", "context": "x", "question": "q", "answers": []}])",
      "a.json");
  write_dataset(set, DataForm::kCsv, AtomicFile(directory / "copy"));
  EXPECT_EQ(read_file(directory / "copy"),
            "id,question,context,answer,answer_start,is_impossible\n"
            "a,\"Who, then?\",\"Ann \"\"sings\"\".\n\",Ann,0,false\nb,q,x,,,true\n");
}

// Label Studio counts them since 1.4 (docs/data-forms.md).
TEST(Convert, WritesCodePointsForLabelStudio) {
  const TemporaryDirectory directory;
  const Dataset set = read_dataset_text(
      R"([{"id": "a", "context": "😀 Ann", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 2}]}])",
      "a.json");
  write_dataset(set, DataForm::kLabelStudio, AtomicFile(directory / "copy"));
  const Json value = parse_json_file(
      directory / "copy", ErrorCode::kBadData)[0]["annotations"][0]["result"][0]["value"];
  EXPECT_EQ(value,
            (Json{{"start", 2}, {"end", 5}, {"text", "Ann"}, {"labels", Json::array({"Answer"})}}));
}

TEST(Convert, KnowsTheNamesOfTheForms) {
  EXPECT_EQ(find_spelling<DataForm>("squad"), DataForm::kNested);
  EXPECT_EQ(find_spelling<DataForm>("csv"), DataForm::kCsv);
  EXPECT_EQ(find_spelling<DataForm>("label-studio"), DataForm::kLabelStudio);
  EXPECT_EQ(find_spelling<DataForm>("xlsx"), std::nullopt);
}

}  // namespace
}  // namespace spanforge
