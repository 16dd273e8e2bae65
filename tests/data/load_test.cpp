#include <fstream>

#include "spanforge/base/join.h"
#include "spanforge/data/convert.h"
#include "spanforge/data/dataset.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using testing::TemporaryDirectory;

class LoadDataset : public ::testing::Test {
 protected:
  Dataset load(const std::string& text) {
    write_file_atomic(file_, text);
    return load_dataset(file_);
  }
  Error refuse(const std::string& text) {
    return expect_error(ErrorCode::kBadData, [&] { load(text); });
  }
  TemporaryDirectory directory_;
  fs::path file_ = directory_ / "set.json";
};

TEST_F(LoadDataset, ReadsNestedFormWithKeysInAnyOrder) {
  const Dataset set = load(R"({"data": [
    {"paragraphs": [
       {"qas": [{"question": "Who?", "id": "a", "answers": [{"text": "Ann", "answer_start": 0}]},
                {"id": "b", "question": "Why?", "answers": [], "is_impossible": true,
                 "plausible_answers": [{"text": "x", "answer_start": 1}]}],
        "context": "Ann sings."},
       {"context": "Bo reads.", "qas": []}],
     "title": "One"},
    {"title": "Two", "paragraphs": [
       {"context": "Ann sings.", "qas": [{"id": 7, "question": "What?", "answers": []}]}]}],
   "version": "v2.0"})");
  EXPECT_EQ(set.version, "v2.0");
  ASSERT_EQ(set.examples.size(), 3u);
  EXPECT_EQ(set.contexts, (std::vector<std::string>{"Ann sings.", "Bo reads."}));
  EXPECT_EQ(set.examples[0].id, "a");
  EXPECT_EQ(set.examples[0].title, "One");
  EXPECT_EQ(set.examples[0].answers, (std::vector<Answer>{{"Ann", 0}}));
  EXPECT_FALSE(set.examples[0].is_impossible);
  EXPECT_EQ(set.examples[1].place, "data[0].paragraphs[0].qas[1]");
  EXPECT_TRUE(set.examples[1].is_impossible);
  EXPECT_TRUE(set.examples[1].answers.empty());
  EXPECT_EQ(set.examples[2].id, "7");
  EXPECT_EQ(set.examples[2].title, "Two");
  EXPECT_EQ(set.context_of(set.examples[2]), "Ann sings.");
  EXPECT_EQ(set.place_of(set.examples[2]).text(),
            file_.string() + ": data[1].paragraphs[0].qas[0] (id 7)");
}

TEST_F(LoadDataset, ReadsFlatRowsInEveryForm) {
  const std::string row =
      R"({"id": "a", "title": "t", "context": "Ann sings.", "question": "Who?", "answers": )";
  const std::string list =
      R"([{"text": "Ann", "answer_start": 0}, {"text": "", "answer_start": -1}])";
  const std::string parallel = R"({"text": ["Ann", ""], "answer_start": [0, -1]})";
  const std::string other =
      R"({"id": "b", "context": "Ann sings.", "question": "Why?", "answers": []})";
  const std::vector<std::pair<std::string, std::string>> files = {
      {"under data", "{\"data\": [" + row + list + "}, " + other + "]}"},
      {"top-level list", "[" + row + parallel + "}, " + other + "]"},
      {"lines", row + parallel + "}\n\n" + other + "\n"},
      {"lines with CRLF and a byte order mark", "\xEF\xBB\xBF" + row + list + "}\r\n" + other},
  };
  for (const auto& [name, text] : files) {
    SCOPED_TRACE(name);
    const Dataset set = load(text);
    ASSERT_EQ(set.examples.size(), 2u);
    EXPECT_EQ(set.contexts.size(), 1u);
    EXPECT_EQ(set.examples[0].title, "t");
    EXPECT_EQ(set.examples[0].answers, (std::vector<Answer>{{"Ann", 0}}));
    EXPECT_EQ(set.examples[1].title, "");
    EXPECT_TRUE(set.examples[1].answers.empty());
  }
  EXPECT_EQ(load(row + list + "}").examples[0].id, "a");  // a single row without a list
}

TEST_F(LoadDataset, ReadsCmrcFormAndLocatesAnswers) {
  const Dataset set = load(R"([{"context_id": "T", "context_text": "光荣和光荣社", "title": "x",
    "qas": [{"query_id": "Q0", "query_text": "谁？", "answers": ["光荣社", "不在"]},
            {"query_id": "Q1", "query_text": "什么？", "answers": []},
            {"query_id": "Q2", "query_text": "什么？", "answers": ["和"]}]}])");
  ASSERT_EQ(set.examples.size(), 3u);
  EXPECT_EQ(set.examples[0].id, "Q0");
  EXPECT_EQ(set.examples[0].title, "x");
  EXPECT_EQ(set.examples[0].answers, (std::vector<Answer>{{"光荣社", 3}, {"不在", -1}}));
  EXPECT_EQ(set.examples[2].answers, (std::vector<Answer>{{"和", 2}}));
}

TEST_F(LoadDataset, KeepsMisalignedAndEmptyAnswersForTheCheck) {
  const Dataset set = load(R"([{"id": "a", "context": "x", "question": "q",
      "answers": [{"text": "y", "answer_start": -1}, {"text": "", "answer_start": 0}]}])");
  EXPECT_EQ(set.examples[0].answers, (std::vector<Answer>{{"y", -1}, {"", 0}}));
}

struct BadFile {
  std::string text, place, reason;
};

TEST_F(LoadDataset, NamesPlaceAndReasonForMalformedFiles) {
  const std::string head = R"({"data": [{"title": "t", "paragraphs": [{"context": "c", "qas": [)";
  const std::string tail = "]}]}]}";
  const auto qa = [&](const std::string& inside) { return head + "{" + inside + "}" + tail; };
  const std::string place = "data[0].paragraphs[0].qas[0]";
  const std::string id = R"("id": "a", "question": "q", "answers": )";
  const std::vector<BadFile> files = {
      {"", "", "is empty"},
      {" \n", "", "is empty"},
      {"[]", "", "holds no question"},
      {R"({"data": []})", "", "holds no question"},
      {"5", "", "must be an object or a list"},
      {"[5]", "[0]", "must be an object"},
      {"[[]]", "[0]", "must be an object"},
      {R"({"data": 5})", "data", "must be a list"},
      {R"({"data": [{"paragraphs": 5}]})", "data[0].paragraphs", "must be a list"},
      {R"({"data": [{"paragraphs": [{"context": "c"}]}]})", "data[0].paragraphs[0]",
       "qas is missing"},
      {R"({"data": [{"paragraphs": [{"qas": []}]}]})", "data[0].paragraphs[0]",
       "context is missing"},
      {R"({"data": [{"paragraphs": [{"context": 1, "qas": []}]}]})", "data[0].paragraphs[0]",
       "context must be a string, not a number"},
      {qa(R"("question": "q", "answers": [])"), place, "id is missing"},
      {qa(R"("id": "", "question": "q", "answers": [])"), place, "id is empty"},
      {qa(R"("id": "a", "answers": [])"), place, "question is missing"},
      {qa(id + R"([{"answer_start": 0}])"), place + ".answers[0]", "text is missing"},
      {qa(id + R"([7])"), place + ".answers[0]", "not the number 7"},
      {qa(id + R"([[]])"), place + ".answers[0]", "not a list"},
      {qa(id + R"([{"text": {}, "answer_start": 0}])"), place + ".answers[0]", "not an object"},
      {qa(id + R"([{"text": null, "answer_start": 0}])"), place + ".answers[0]", "not null"},
      {qa(id + R"([{"text": "c", "answer_start": [0]}])"), place + ".answers[0]", "is a list"},
      {qa(id + R"(["c", {"text": "c", "answer_start": 0}])"), place, "mixes"},
      {qa(id + R"({"text": ["c"], "answer_start": []})"), place + ".answers", "1 texts but 0"},
      {qa(id + R"([], "is_impossible": "maybe")"), place, "is_impossible must be true or false"},
      {qa(id + R"([], "id": "b")"), place, "the key \"id\" appears twice"},
      {qa(id + R"([{"text": "\ud800", "answer_start": 0}])"), place + ".answers[0].text",
       "surrogate"},
      {qa(id + "[{\"text\": \"\xC3\x28\", \"answer_start\": 0}]"), place + ".answers[0].text",
       "UTF-8"},
      {head, "data[0].paragraphs[0].qas[0]", "is not valid JSON at line 1 column"},
      {qa(id + "[]") + "x", "", "is not valid JSON"},
      {"[" + std::string(70, '['), "[0]", "must be an object"},
      {R"({"x": )" + std::string(70, '[') + std::string(70, ']') + "}", "x", "deeper than 64"},
      {"{\"id\": \"a\", \"context\": \"c\", \"question\": \"q\", \"answers\": []}\n{\"id\": }",
       "line 2", "is not valid JSON at column"},
      {"{\"id\": \"a\", \"context\": \"c\", \"question\": \"q\", \"answers\": []}\n{\"id\": 1.5}",
       "line 2", "context is missing"},
  };
  for (const BadFile& bad : files) {
    SCOPED_TRACE(bad.text.substr(0, 200));
    const Error error = refuse(bad.text);
    EXPECT_NE(error.reason().find(bad.reason), std::string::npos) << error.what();
    const std::string place_text = file_.string() + (bad.place.empty() ? "" : ": " + bad.place);
    EXPECT_TRUE(error.place().text() == place_text ||
                error.place().text().starts_with(place_text + ".") ||
                error.place().text().starts_with(place_text + ":") ||
                error.place().text().starts_with(place_text + "["))
        << error.place().text() << "\nexpected " << place_text;
  }
}

// One question about "a 3 b 1.50 a", with answers and flag in various spellings.
struct Written {
  std::string answers;  // members of the row
  std::vector<Answer> read;
  std::vector<StartSource> sources;
  bool impossible = false;
  std::string faults;  // names, separated by spaces
};

TEST_F(LoadDataset, ReadsValuesWithOnlyOneMeaning) {
  using enum StartSource;
  const std::vector<Written> rows = {
      {R"("answers": [{"text": "b", "answer_start": 4}])", {{"b", 4}}, {kStated}},
      {R"("answers": [{"text": "b", "answer_start": "4"}])",
       {{"b", 4}},
       {kStated},
       false,
       "answer_start_type"},
      {R"("answers": [{"text": "b", "answer_start": 4.0}])",
       {{"b", 4}},
       {kStated},
       false,
       "answer_start_type"},
      {R"("answers": [{"text": "b", "answer_start": 0.5}])",
       {{"b", 4}},
       {kUnknown},
       false,
       "answer_start_type"},
      {R"("answers": [{"text": "a", "answer_start": 18446744073709551615}])",
       {{"a", -1}},
       {kUnknown},
       false,
       "answer_start_type"},
      // The start is unknown: read as the only place.
      {R"("answers": [{"text": "b", "answer_start": -1}])", {{"b", 4}}, {kUnknown}},
      {R"("answers": [{"text": "b", "answer_start": null}])", {{"b", 4}}, {kUnknown}},
      {R"("answers": [{"text": "b"}])", {{"b", 4}}, {kUnknown}},
      {R"("answers": [{"text": "a"}])", {{"a", -1}}, {kUnknown}},
      {R"("answers": [{"text": "c"}])", {{"c", -1}}, {kUnknown}},
      {R"("answers": {"text": ["b", "a"]})", {{"b", 4}, {"a", -1}}, {kUnknown, kUnknown}},
      // The form has no starts: read as the first place.
      {R"("answers": ["a", "b"])", {{"a", 0}, {"b", 4}}, {kNoStarts, kNoStarts}},
      {R"("answer": "a")", {{"a", 0}}, {kNoStarts}},
      {R"("answer": {"text": "b", "start": 4})", {{"b", 4}}, {kStated}},
      {R"("answers": {"answer_text": "b", "char_start": 4})", {{"b", 4}}, {kStated}},
      // The text is missing or not a string.
      {R"("answers": [{"text": 3, "answer_start": 2}])",
       {{"3", 2}},
       {kStated},
       false,
       "answer_text_type"},
      {R"("answers": [{"text": 1.50, "answer_start": 6}])",
       {{"1.50", 6}},
       {kStated},
       false,
       "answer_text_type"},
      {R"("answers": [1.50])", {{"1.50", 6}}, {kNoStarts}, false, "answer_text_type"},
      {R"("answers": {"text": [3, "b"], "answer_start": [2, 4]})",
       {{"3", 2}, {"b", 4}},
       {kStated, kStated},
       false,
       "answer_text_type"},
      {R"("answers": [{"text": true, "answer_start": 2}])",
       {{"true", 2}},
       {kStated},
       false,
       "answer_text_type"},
      {R"("answers": [{"text": null, "answer_start": 2}])",
       {{"", 2}},
       {kStated},
       false,
       "answer_text_type"},
      // There is no answer.
      {R"("answers": null)", {}, {}},
      {R"("answers": [{"text": "", "answer_start": -1}])", {}, {}},
      {R"("answers": [{"text": null, "answer_start": null}])", {}, {}},
      {R"("answers": [{"text": "", "answer_start": 0}], "is_impossible": true)",
       {},
       {},
       true,
       "empty_answer_means_none"},
      {R"("answers": {"text": [" "], "answer_start": ["7"]}, "is_impossible": 1)",
       {},
       {},
       true,
       "is_impossible_type empty_answer_means_none"},
      {R"("is_impossible": "True")", {}, {}, true, "is_impossible_type"},
      {R"("answers": ["b"], "is_impossible": "no")",
       {{"b", 4}},
       {kNoStarts},
       false,
       "is_impossible_type"},
      {R"("answers": ["b"], "is_impossible": null)", {{"b", 4}}, {kNoStarts}},
  };
  for (const Written& row : rows) {
    SCOPED_TRACE(row.answers);
    const Dataset set = read_dataset_text(
        R"({"id": "x", "question": "q", "context": "a 3 b 1.50 a", )" + row.answers + "}",
        "set.json");
    ASSERT_EQ(set.examples.size(), 1u);
    const Example& example = set.examples[0];
    EXPECT_EQ(example.answers, row.read);
    ASSERT_EQ(example.answers.size(), row.sources.size());
    for (size_t i = 0; i < row.sources.size(); ++i) {
      EXPECT_EQ(example.answers[i].source, row.sources[i]) << i;
    }
    EXPECT_EQ(example.is_impossible, row.impossible);
    std::vector<std::string> faults;
    for (const RowFault& fault : set.faults) faults.emplace_back(fault_name(fault.kind));
    EXPECT_EQ(join(faults, " "), row.faults);
  }
}

TEST_F(LoadDataset, KnowsTheNamesThatOtherSetsUse) {
  for (const char* row :
       {R"({"qid": "x", "query": "q", "passage": "c", "answers": ["c"]})",
        R"({"question_id": "x", "question_text": "q", "document": "c", "answers": ["c"]})",
        R"({"_id": "x", "question": "q", "paragraph": "c", "answers": ["c"]})",
        "{\"header\": {\"dataset\": \"d\"}}\n"
        R"({"context": "c", "qas": [{"qid": "x", "question": "q", "answers": ["c"]}]})"}) {
    SCOPED_TRACE(row);
    const Dataset set = parse_dataset(row, "set.json");
    ASSERT_EQ(set.examples.size(), 1u);
    EXPECT_EQ(set.examples[0].id, "x");
    EXPECT_EQ(set.examples[0].question, "q");
    EXPECT_EQ(set.context_of(set.examples[0]), "c");
  }
  const Dataset named = read_dataset_text(
      R"([{"nr": "x", "ask": "q", "body": "c", "reply": "c"}])", "set",
      {.encoding = "",
       .columns = {{"id", "nr"}, {"question", "ask"}, {"context", "body"}, {"answer", "reply"}}});
  EXPECT_EQ(named.examples[0].answers, (std::vector<Answer>{{"c", 0}}));
}

TEST_F(LoadDataset, RecognisesBlindSets) {
  const auto row = [](const std::string& id, const std::string& rest) {
    return R"({"id": ")" + id + R"(", "question": "q", "context": "c")" + rest + "}\n";
  };
  const std::string none = row("a", "") + row("b", ""),
                    empty = row("a", R"(, "answers": [])") + row("b", R"(, "answers": [])"),
                    impossible = row("a", R"(, "answers": [], "is_impossible": true)") +
                                 row("b", R"(, "answers": [])"),
                    mixed = row("a", "") + row("b", R"(, "answers": ["c"])");
  EXPECT_TRUE(parse_dataset(none, "f").blind);
  EXPECT_TRUE(parse_dataset(empty, "f").blind);
  EXPECT_FALSE(parse_dataset(impossible, "f").blind);
  // A row that is refused for its id still says that the set knows what is impossible.
  const std::string refused =
      row("a", R"(, "answers": [])") + row("", R"(, "is_impossible": true)");
  EXPECT_FALSE(read_dataset_text(refused, "f").blind);
  const Dataset half = read_dataset_text(mixed, "f");
  EXPECT_FALSE(half.blind);
  ASSERT_EQ(half.examples.size(), 1u);
  EXPECT_EQ(half.examples[0].id, "b");
  ASSERT_EQ(half.faults.size(), 1u);
  EXPECT_EQ(half.faults[0].place, "line 1");
  EXPECT_EQ(half.faults[0].id, "a");
}

TEST_F(LoadDataset, RefusesMissingFilesAndDirectories) {
  EXPECT_EQ(expect_error(ErrorCode::kIo, [&] { load_dataset(directory_ / "none.json"); }).file(),
            (directory_ / "none.json").string());
  expect_error(ErrorCode::kIo, [&] { load_dataset(directory_.path()); });
}

TEST_F(LoadDataset, SurvivesManyKeysInOneObject) {
  std::string text = "{";
  for (int i = 0; i < 50000; ++i) text += "\"k" + std::to_string(i) + "\": [{}, 1],";
  const Dataset set = load(text + R"("id": "a", "context": "c", "question": "q", "answers": []})");
  EXPECT_EQ(set.examples.size(), 1u);
  const Error error = refuse(text + "\"k49999\": 1}");
  EXPECT_NE(error.reason().find("\"k49999\" appears twice"), std::string::npos) << error.what();
}

void expect_same(const Dataset& a, const Dataset& b) {
  ASSERT_EQ(a.examples.size(), b.examples.size());
  for (size_t i = 0; i < a.examples.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(a.examples[i].id, b.examples[i].id);
    EXPECT_EQ(a.examples[i].title, b.examples[i].title);
    EXPECT_EQ(a.examples[i].question, b.examples[i].question);
    EXPECT_EQ(a.examples[i].answers, b.examples[i].answers);
    EXPECT_EQ(a.context_of(a.examples[i]), b.context_of(b.examples[i]));
  }
}

TEST_F(LoadDataset, ReadsBackEveryFormItWrites) {
  const Dataset set = load(R"({"version": "v2.0", "data": [
    {"title": "甲", "paragraphs": [
      {"context": "a\u0000b \"q\" \\ \r\n 😀", "qas": [
        {"id": "1", "question": "é?", "answers": [{"text": "😀", "answer_start": 15},
                                                  {"text": "q", "answer_start": 5}]},
        {"id": "2", "question": "?", "answers": [], "is_impossible": true}]},
      {"context": "other", "qas": [{"id": "3", "question": "x", "answers": []}]}]},
    {"title": "", "paragraphs": [{"context": "other", "qas": [
        {"id": "4", "question": "x", "answers": [{"text": "o", "answer_start": 0}]}]}]}]})");
  for (const DataForm form : {DataForm::kNested, DataForm::kFlat, DataForm::kLines}) {
    SCOPED_TRACE(static_cast<int>(form));
    const fs::path copy = directory_ / "copy.json";
    write_dataset(set, form, AtomicFile(copy));
    expect_same(set, load_dataset(copy));
  }
}

TEST_F(LoadDataset, RoundTripsSharedData) {
  for (const std::string name :
       {"seed/data.json", "cmrc2018/cmrc2018_dev.json", "drcd/DRCD_test.json",
        "squad/squad_v2_dev_part.json", "xquad/xquad.en.json"}) {
    const auto file = testing::shared_data(name);
    if (!file) GTEST_SKIP() << testing::kNoSharedData;
    SCOPED_TRACE(name);
    const Dataset set = load_dataset(*file);
    const fs::path copy = directory_ / "copy.json";
    write_dataset(set, DataForm::kLines, AtomicFile(copy));
    expect_same(set, load_dataset(copy));
    save_squad(load_dataset(copy), AtomicFile(copy));
    expect_same(set, load_dataset(copy));
  }
}

TEST(Answer, IsAlignedOnlyAtItsPlaceInTheContext) {
  const std::string context = "é😀x";
  const CodePointIndex index(context);
  const std::vector<std::pair<Answer, bool>> rows = {
      {{"é", 0}, true},   {{"😀x", 1}, true}, {{"x", 2}, true},         {{"x", 1}, false},
      {{"x", -1}, false}, {{"x", 3}, false}, {{"xy", 2}, false},       {{"x", 1000}, false},
      {{"", 3}, true},    {{"", 4}, false},  {{"x", INT64_MAX}, false}};
  for (const auto& [answer, aligned] : rows) {
    SCOPED_TRACE(answer.text + "@" + std::to_string(answer.answer_start));
    EXPECT_EQ(is_aligned(answer, context), aligned);
    EXPECT_EQ(is_aligned(answer, context, index), aligned);
  }
}

}  // namespace
}  // namespace spanforge
