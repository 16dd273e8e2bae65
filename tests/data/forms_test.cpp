#include "spanforge/data/forms.h"

#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;

struct Sample {
  const char* file;
  SourceForm form;
  bool own_ids;      // false: the ids are the rows' or tasks' numbers
  const char* note;  // a part of one of the notes
};

class Samples : public ::testing::TestWithParam<Sample> {};

fs::path sample(const std::string& name) {
  return testing::source_directory() / "tests/data/forms" / name;
}

// All of them hold the same four questions.
TEST_P(Samples, HoldTheSameQuestions) {
  const auto& [file, form, own_ids, note] = GetParam();
  const Dataset expected = load_dataset(sample("expected.json")), set = load_dataset(sample(file));
  EXPECT_EQ(set.form, form);
  EXPECT_FALSE(set.blind);
  EXPECT_TRUE(set.faults.empty());
  ASSERT_EQ(set.examples.size(), expected.examples.size());
  for (size_t i = 0; i < set.examples.size(); ++i) {
    const Example &a = expected.examples[i], &b = set.examples[i];
    SCOPED_TRACE(a.id);
    EXPECT_EQ(b.id, own_ids ? a.id : std::to_string(i + 1));
    EXPECT_EQ(b.question, a.question);
    EXPECT_EQ(set.context_of(b), expected.context_of(a));
    EXPECT_EQ(b.answers, a.answers);
    EXPECT_EQ(b.is_impossible, a.is_impossible);
  }
  std::string notes;
  for (const std::string& one : set.notes) notes += one + "\n";
  EXPECT_NE(notes.find(note), std::string::npos) << notes;
}

INSTANTIATE_TEST_SUITE_P(
    Data, Samples,
    ::testing::Values(
        Sample{"comma.csv", SourceForm::kTable, true,
               "columns: question = question, context = context, answer = answer"},
        Sample{"excel_utf8.csv", SourceForm::kTable, true, "columns: "},
        Sample{"excel_semicolon.csv", SourceForm::kTable, true, "columns: "},
        Sample{"excel_unicode_text.txt", SourceForm::kTable, true, "read as UTF-16LE"},
        Sample{"excel_chinese.csv", SourceForm::kTable, true, "read as GB18030"},
        Sample{"tabs.tsv", SourceForm::kTable, true,
               "question = Question Text, context = Passage, answer = Answer Text"},
        Sample{"pandas_squad.csv", SourceForm::kTable, true, "not used: (no name)"},
        Sample{"dotted.csv", SourceForm::kTable, true, "answer = answers.text"},
        Sample{"label_studio.csv", SourceForm::kTable, false, "columns: "},
        Sample{"label_studio.json", SourceForm::kLabelStudio, true, "offsets count code points"},
        Sample{"label_studio_old.json", SourceForm::kLabelStudio, true,
               "offsets count UTF-16 units"},
        Sample{"label_studio_min.json", SourceForm::kLabelStudio, false,
               "read as Label Studio's export"},
        Sample{"doccano.jsonl", SourceForm::kDoccano, false,
               "offsets count UTF-16 units; without a label, and so without an answer: 1"},
        Sample{"doccano_relations.jsonl", SourceForm::kDoccano, false, "read as doccano's export"},
        Sample{"doccano_old.jsonl", SourceForm::kDoccano, false, "read as doccano's export"},
        Sample{"doccano_seq2seq.jsonl", SourceForm::kDoccano, false, "read as doccano's export"},
        Sample{"doccano_seq2seq.csv", SourceForm::kTable, false, "answer = label"}),
    [](const auto& one) {
      std::string name = one.param.file;
      for (char& c : name) c = c == '.' ? '_' : c;
      return name;
    });

Dataset read(const std::string& text, const ReadOptions& options = {}, const char* name = "a.csv") {
  return read_dataset_text(text, name, options);
}

// "id|question|answer@start,...|impossible" of each example.
std::vector<std::string> lines_of(const Dataset& set) {
  std::vector<std::string> lines;
  for (const Example& example : set.examples) {
    std::string line = example.id + "|" + example.question + "|";
    for (const Answer& answer : example.answers) {
      line += answer.text + "@" + std::to_string(answer.answer_start) + ",";
    }
    lines.push_back(line + "|" + (example.is_impossible ? "impossible" : ""));
  }
  return lines;
}
using Lines = std::vector<std::string>;

TEST(Table, GivesIdsPlacesAndUnansweredQuestions) {
  const Dataset set = read(
      "question,context,answer\nWho?,Ann sings.,Ann\n\n\"What\n?\",Ann sings.,\nWhere?,Ann "
      "sings.,Ulm\n");
  EXPECT_EQ(lines_of(set), (Lines{"1|Who?|Ann@0,|", "2|What\n?||impossible", "3|Where?|Ulm@-1,|"}));
  EXPECT_EQ(set.examples[1].place, "line 4");
  EXPECT_EQ(set.examples[2].place, "line 6");
  EXPECT_EQ(set.examples[0].answers[0].source, StartSource::kNoStarts);
  EXPECT_EQ(set.notes, (Lines{"columns: question = question, context = context, answer = answer; "
                              "the ids are the rows' numbers"}));
}

TEST(Table, StatesStartsAsTheyAre) {
  const Dataset set = read(
      "id,question,context,answer,answer_start\na,q,Ann sings.,Ann,0\nb,q,Ann "
      "sings.,sings,4.0\nc,q,Ann sings.,sings,7\n"
      "d,q,Ann sings.,sings,\ne,q,Ann sings.,sings,-1\nf,q,Ann sings.,sings,four\n");
  EXPECT_EQ(lines_of(set), (Lines{"a|q|Ann@0,|", "b|q|sings@4,|", "c|q|sings@7,|", "d|q|sings@4,|",
                                  "e|q|sings@4,|", "f|q|sings@4,|"}));
  EXPECT_EQ(set.examples[1].answers[0].source, StartSource::kStated);
  EXPECT_EQ(set.examples[3].answers[0].source, StartSource::kUnknown);
  ASSERT_EQ(set.faults.size(), 1u);
  EXPECT_EQ(set.faults[0].kind, FaultKind::kStartType);
}

TEST(Table, ReadsFlags) {
  const Dataset set = read(
      "id,question,context,answer,is_impossible\na,q,Ann,Ann,FALSE\nb,q,Ann,,TRUE\nc,q,Ann,,是\nd,"
      "q,Ann,,0\ne,q,Ann,,\n");
  EXPECT_EQ(lines_of(set), (Lines{"a|q|Ann@0,|", "b|q||impossible", "c|q||impossible", "d|q||",
                                  "e|q||impossible"}));
  EXPECT_TRUE(set.faults.empty());
}

TEST(Table, IsBlindWithoutAnyAnswer) {
  EXPECT_TRUE(read("question,context\nq,c\n").blind);
  const Dataset set = read("question,context,answer\nq,c,\nr,c,\n");
  EXPECT_TRUE(set.blind);
  EXPECT_FALSE(set.examples[0].is_impossible);
}

TEST(Table, ReadsCellsOfSeveralAnswers) {
  const Dataset set = read(
      "id,question,context,answers\n"
      "a,q,Ann sings.,\"{'text': ['Ann', 'sings'], 'answer_start': [0, 4]}\"\n"
      "b,q,Ann sings.,\"[{\"\"text\"\": \"\"Ann\"\", \"\"answer_start\"\": 0}]\"\n"
      "c,q,Ann sings.,\"['Ann', 'sings']\"\n"
      "d,q,Ann [1] sings.,[1]\n"
      "e,q,Ann sings.,[]\n"
      "f,q,Ann sings.,\"{'text': 'Ann', 'answer_start': 0}\"\n");
  EXPECT_EQ(lines_of(set), (Lines{"a|q|Ann@0,sings@4,|", "b|q|Ann@0,|", "c|q|Ann@0,sings@4,|",
                                  "d|q|[1]@4,|", "e|q||impossible", "f|q|Ann@0,|"}));
}

TEST(Table, UsesTheColumnsThatTheUserNames) {
  const std::string text = "q,text,a\nWho?,Ann sings.,Ann\n";
  const Dataset set = read(text, {"", {{"question", "q"}, {"context", "text"}, {"answer", "a"}}});
  EXPECT_EQ(lines_of(set), (Lines{"1|Who?|Ann@0,|"}));
  EXPECT_EQ(expect_error(ErrorCode::kUsage,
                         [&] {
                           read(text, {"", {{"question", "frage"}}});
                         })
                .parameter(),
            "columns");
}

TEST(Table, ErrorsSayWhatIsWrong) {
  struct Row {
    std::string text, place, reason;
  };
  const std::vector<Row> rows = {
      {"name,age\nAnn,7\n", "a.csv",
       "is a table without a column for question and context; its columns are name, age"},
      {"question,age\nAnn,7\n", "a.csv", "without a column for context"},
      {"question,context\nq,c,x\n", "a.csv: line 2", "has 3 cells, but the first row names 2"},
      {"question,x,context\nq,c\n", "a.csv: line 2", "the one for context is missing"},
      {"question,context\nq,\"c\nd\n", "a.csv: line 2",
       "a quote opens in this row and never closes"},
      {"question,context\nq,c\nr,\xFF\n", "a.csv: line 3",
       "is not UTF-8; give the file's encoding"},
      {"question,context,answer,answer_start\nq,c,\"['c', 'd']\",\"[0]\"\n", "a.csv: line 2",
       "holds 2 answers but 1 positions"},
      {"question,context\n", "a.csv", "holds no question"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const Error error = expect_error(ErrorCode::kBadData, [&] { read(row.text); });
    EXPECT_EQ(error.place().text(), row.place);
    EXPECT_NE(error.reason().find(row.reason), std::string::npos) << error.reason();
  }
  // A faulty row does not affect other rows.
  const Dataset set = read("question,context\nq,c,x\nr,c\n");
  EXPECT_EQ(lines_of(set), (Lines{"2|r||"}));
  ASSERT_EQ(set.faults.size(), 1u);
  EXPECT_EQ(set.faults[0].place, "line 2");
}

TEST(RecogniseForm, UsesTheContent) {
  struct Row {
    std::string text, name;
    SourceForm form;
  };
  const std::vector<Row> rows = {
      {"{\"version\": \"1\", \"data\": []}", "a.json", SourceForm::kJson},
      {"[{\"id\": 1, \"context\": \"c\", \"question\": \"q\", \"answers\": []}]", "a.json",
       SourceForm::kJson},
      {"[{\"data\": {\"text\": \"t\"}, \"annotations\": []}]", "a.json", SourceForm::kLabelStudio},
      {"{\"id\": 1, \"data\": {\"text\": \"t\"}}\n{\"id\": 2, \"data\": {\"text\": \"t\"}}",
       "a.jsonl", SourceForm::kLabelStudio},
      {"{\"text\": \"t\", \"label\": []}", "a.jsonl", SourceForm::kDoccano},
      {"{\"text\": \"t\", \"labels\": [], \"answers\": []}", "a.jsonl", SourceForm::kJson},
      {"question,context\n", "a.json", SourceForm::kTable},
      {"nonsense", "a.json", SourceForm::kJson},
      {"nonsense", "a.csv", SourceForm::kTable},
      {"", "a.csv", SourceForm::kJson}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    EXPECT_EQ(recognise_form(row.text, row.name), row.form);
  }
}

std::string task(const std::string& annotations,
                 const std::string& data = R"("text": "Ann sings in Ulm.", "question": "Who?")") {
  return R"([{"id": 7, "data": {)" + data + R"(}, "annotations": [)" + annotations + "]}]";
}
std::string result(const std::string& value,
                   const std::string& more = R"("from_name": "answer", "to_name": "text")") {
  return R"({"result": [{"value": )" + value + ", " + more + "}]}";
}

TEST(LabelStudio, ReadsAnnotationsOfEveryKind) {
  struct Row {
    const char* what;
    std::string text;
    Lines lines;
  };
  const std::string span = result(R"({"start": 0, "end": 3, "text": "Ann", "labels": ["Answer"]})");
  const std::vector<Row> rows = {
      {"plain", task(span), {"7|Who?|Ann@0,|"}},
      {"no text",
       task(result(R"({"start": 13, "end": 16, "labels": ["Answer"]})")),
       {"7|Who?|Ulm@13,|"}},
      {"several annotators",
       task(span + "," + span + "," + result(R"({"start": 13, "end": 16, "labels": ["A"]})")),
       {"7|Who?|Ann@0,Ulm@13,|"}},
      {"one cancelled",
       task(R"({"was_cancelled": true, "result": [{"value": {"start": 0, "end": 1}}]},)" + span),
       {"7|Who?|Ann@0,|"}},
      {"nothing marked", task(R"({"result": []})"), {"7|Who?||impossible"}},
      {"choice", task(result(R"({"choices": ["No answer"]})")), {"7|Who?||impossible"}},
      {"typed",
       task(result(R"({"text": ["Ulm"]})", R"("from_name": "answer", "type": "textarea")")),
       {"7|Who?|Ulm@13,|"}},
      {"typed no answer",
       task(result(R"({"text": ["No answer."]})", R"("from_name": "answer", "type": "textarea")")),
       {"7|Who?||impossible"}},
      {"offsets that are none",
       task(result(R"({"globalOffsets": {"start": "x", "end": null}, "text": "Ulm"})")),
       {"7|Who?|Ulm@13,|"}},
      {"a result's id is a number",
       task(
           result(R"({"text": ["Ulm"]})", R"("id": 5, "from_name": "answer", "type": "textarea")")),
       {"7|Who?|Ulm@13,|"}},
      {"a result's name is a number",
       task(result(R"({"start": 0, "end": 3, "text": "Ann"})", R"("id": null, "from_name": 5)")),
       {"7|Who?|Ann@0,|"}},
      {"hypertext",
       task(result(
           R"({"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 13, "endOffset": 16,
          "globalOffsets": {"start": 13, "end": 16}, "text": "Ulm", "hypertextlabels": ["Answer"]})")),
       {"7|Who?|Ulm@13,|"}},
      {"hypertext of a page",
       task(result(
           R"({"start": "/p[1]/text()[1]", "end": "/p[1]/text()[1]", "startOffset": 13, "endOffset": 16,
          "globalOffsets": {"start": 5, "end": 8}, "text": "Ulm", "hypertextlabels": ["Answer"]})")),
       {"7|Who?|Ulm@13,|"}},
      {"paragraphs",
       task(
           result(
               R"({"start": "1", "end": "1", "startOffset": 3, "endOffset": 6, "text": "Bob", "paragraphlabels": ["A"]})"),
           R"("text": [{"author": "A", "text": "😀 hi"}, {"author": "B", "text": "I, Bob"}], "question": "Who?")"),
       {"7|Who?|Bob@8,|"}},
      {"question typed for a region",
       task(
           R"({"result": [{"id": "r1", "value": {"start": 0, "end": 3, "labels": ["A"]}, "from_name": "answer"},
                           {"id": "r1", "value": {"text": ["Who sings?"]}, "from_name": "question", "type": "textarea"},
                           {"id": "r2", "value": {"start": 13, "end": 16, "labels": ["A"]}, "from_name": "answer"},
                           {"id": "r2", "value": {"text": ["Where?"]}, "from_name": "question", "type": "textarea"}]})",
           R"("text": "Ann sings in Ulm.")"),
       {"7-r1|Who sings?|Ann@0,|", "7-r2|Where?|Ulm@13,|"}},
      {"line end in the text",
       task(result(R"({"start": 0, "end": 9, "text": "Ann\\nsings", "labels": ["A"]})"),
            R"("text": "Ann\nsings", "question": "Who?")"),
       {"7|Who?|Ann\nsings@0,|"}},
      {"not where it says",
       task(result(R"({"start": 2, "end": 5, "text": "Ulm", "labels": ["A"]})")),
       {"7|Who?|Ulm@2,|"}},
      {"id among the data",
       task(span, R"("text": "Ann sings in Ulm.", "question": "Who?", "id": "x")"),
       {"x|Who?|Ann@0,|"}},
      {"nobody has worked on it", task(""), {"7|Who?||"}}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    EXPECT_EQ(lines_of(read(row.text, {}, "a.json")), row.lines);
  }
}

TEST(LabelStudio, UsesKeysThatTheUserNames) {
  const std::string text = task(
      result(R"({"start": 0, "end": 3, "labels": ["A"]})", R"("from_name": "span")") + "," +
          result(R"({"start": 13, "end": 16, "labels": ["Place"]})", R"("from_name": "place")"),
      R"("doc": "Ann sings in Ulm.", "ask": "Who?")");
  EXPECT_EQ(lines_of(read(text, {"", {{"question", "ask"}, {"context", "doc"}, {"answer", "span"}}},
                          "a.json")),
            (Lines{"7|Who?|Ann@0,|"}));
  const Error error = expect_error(ErrorCode::kBadData, [&] { read(text, {}, "a.json"); });
  EXPECT_EQ(error.place().text(), "a.json: [0]");
  EXPECT_NE(
      error.reason().find(
          "has no text to label; its data hold doc, ask; name its key with `columns` context=KEY"),
      std::string::npos)
      << error.reason();
}

TEST(LabelStudio, SkipsRowsThatNobodyHasWorkedOn) {
  const std::string text =
      R"([{"id": 1, "data": {"text": "Ann.", "question": "Who?"}, "annotations": []},
    {"id": 2, "data": {"text": "Ann.", "question": "Who?"}, "annotations": [{"result": [{"value": {"start": 0, "end": 3}}]}]},
    {"id": 3, "data": {"text": "Ann.", "question": "Who?"}, "annotations": [{"was_cancelled": true, "result": []}]}])";
  const Dataset set = read(text, {}, "a.json");
  EXPECT_EQ(lines_of(set), (Lines{"2|Who?|Ann@0,|"}));
  EXPECT_EQ(set.notes,
            (Lines{"read as Label Studio's export; skipped, because nobody has labelled them: 2"}));
}

TEST(LabelStudio, NamesRowsThatItCannotRead) {
  const std::string text =
      R"([{"id": 1, "data": {"text": "Ann.", "question": "Who?"}, "annotations": [{"result": [{"value": {"start": 0, "end": 3}}]}]},
    {"id": 2, "data": {"text": "Ann.", "question": "Who?"}, "annotations": [{"result": [{"value": {"start": 2, "end": 30}}]}]}, 7])";
  const Error place = expect_error(ErrorCode::kBadData, [] {
    read(task(result(R"({"start": "a", "end": 3, "labels": ["A"]})")), {}, "a.json");
  });
  EXPECT_NE(place.reason().find("holds a label with a malformed place: {\"start\":\"a\""),
            std::string::npos)
      << place.reason();
  const Dataset set = read(text, {}, "a.json");
  ASSERT_EQ(set.faults.size(), 2u);
  EXPECT_EQ(set.faults[0].place, "[1]");
  EXPECT_EQ(set.faults[0].reason, "the label from 2 to 30 is not within the text");
  EXPECT_EQ(set.faults[1].place, "[2]");
  const Error error = expect_error(ErrorCode::kBadData,
                                   [&] { read(text.substr(0, text.size() - 1), {}, "a.json"); });
  EXPECT_EQ(error.file(), "a.json");
  EXPECT_NE(error.reason().find("is not valid JSON at line 2"), std::string::npos)
      << error.reason();
}

TEST(Doccano, CountsGraphemesWhereOnlyTheyFit) {
  // "👍🏽 ok, the pump" : 👍🏽 is one grapheme, two code points, four UTF-16 units.
  const std::string start =
      R"({"id": 1, "text": "👍🏽👍🏽 Ann sings in Ulm.", "question": "Who?", "label": [[)";
  const Dataset graphemes = read(start + "3, 6, \"A\"]]}", {}, "a.jsonl");
  EXPECT_EQ(lines_of(graphemes), (Lines{"1|Who?|Ann@5,|"}));
  EXPECT_EQ(graphemes.notes,
            (Lines{"read as doccano's export; its offsets count grapheme clusters"}));
  EXPECT_EQ(lines_of(read(start + "9, 12, \"A\"]]}", {}, "a.jsonl")), (Lines{"1|Who?|Ann@5,|"}));
}

TEST(Doccano, NeedsAQuestion) {
  const Error error = expect_error(ErrorCode::kBadData, [] {
    read(R"({"id": 1, "text": "t", "label": [[0, 1, "A"]]})", {}, "a.jsonl");
  });
  EXPECT_NE(
      error.reason().find(
          "has no question; the row holds id, text; name its key with `columns` question=KEY"),
      std::string::npos)
      << error.reason();
  const Dataset set = read(R"({"id": 1, "text": "t", "ask": "q?", "label": [[0, 1, "A"]]})",
                           {"", {{"question", "ask"}}}, "a.jsonl");
  EXPECT_EQ(lines_of(set), (Lines{"1|q?|t@0,|"}));
}

}  // namespace
}  // namespace spanforge
