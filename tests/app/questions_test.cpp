#include "questions.h"

#include <fstream>

#include <gtest/gtest.h>

#include "support/testing.h"

namespace spanforge::app {
namespace {

using testing::TemporaryDirectory;

TEST(QuestionRow, TakesTheNamesOfDataFiles) {
  for (const char* line : {R"({"id": "x", "question": "q", "context": "c"})",
                           R"({"query_id": "x", "query_text": "q", "context_text": "c"})",
                           R"({"qid": "x", "query": "q", "passage": "c", "answers": [1]})"}) {
    SCOPED_TRACE(line);
    const QuestionRow row = parse_question_row(line, "f", 1);
    ASSERT_FALSE(row.error);
    EXPECT_EQ(row.asked.id, "\"x\"");
    EXPECT_EQ(row.asked.text.id, "x");
    EXPECT_EQ(row.asked.text.question, "q");
    EXPECT_EQ(row.asked.text.context, "c");
  }
  EXPECT_EQ(parse_question_row(R"({"qid": 12345678901234567890123, "query": "q", "context": "c"})",
                               "f", 1)
                .asked.id,
            "12345678901234567890123");
  EXPECT_EQ(parse_question_row(R"({"query": "q", "context": "c"})", "f", 1).asked.id, std::nullopt);
}

TEST(QuestionRow, KeepsOfABadRowWhatCouldBeRead) {
  const QuestionRow row =
      parse_question_row(R"({"id": 7, "question": "q", "context": ""})", "f", 3);
  ASSERT_TRUE(row.error);
  EXPECT_EQ(row.error->code(), ErrorCode::kBadData);
  EXPECT_EQ(row.error->place().text(), "f: line 3");
  EXPECT_EQ(row.asked.id, "7");
  EXPECT_EQ(row.asked.text.question, "q");
  EXPECT_EQ(row.line, 3u);
  const QuestionRow broken = parse_question_row("{\"id\": 7,", "f", 3);
  ASSERT_TRUE(broken.error);
  EXPECT_TRUE(broken.error->place().text().starts_with("f: line 3")) << broken.error->what();
  EXPECT_EQ(broken.asked.id, std::nullopt);
}

TEST(QuestionReader, SkipsBlankLinesAndCountsThem) {
  TemporaryDirectory directory;
  const std::string file = (directory / "q.jsonl").string();
  std::ofstream(file) << "\xEF\xBB\xBF{\"question\": \"a\", \"context\": \"c\"}\n \r\n\n"
                         "{\"question\": \"b\", \"context\": \"c\"}\nno\n";
  QuestionReader reader(file);
  EXPECT_EQ(reader.next()->asked.text.question, "a");
  const auto second = reader.next();
  EXPECT_EQ(second->asked.text.question, "b");
  EXPECT_EQ(second->line, 4u);
  EXPECT_TRUE(reader.next()->error);
  EXPECT_FALSE(reader.next());
  QuestionReader checked(file);
  EXPECT_TRUE(testing::expect_error(ErrorCode::kBadData, [&] { checked.check_all(); })
                  .place()
                  .text()
                  .ends_with("q.jsonl: line 5 column 1"));
}

TEST(QuestionReader, ChecksAFileAndThenReadsIt) {
  TemporaryDirectory directory;
  const std::string file = (directory / "q.jsonl").string();
  std::ofstream(file) << "{\"question\": \"a\", \"context\": \"c\"}\n";
  QuestionReader reader(file);
  reader.check_all();
  EXPECT_EQ(reader.next()->line, 1u);
  EXPECT_FALSE(reader.next());
  std::ofstream(file, std::ios::trunc) << "\n \n";
  QuestionReader none(file);
  testing::expect_error(ErrorCode::kBadData, [&] { none.check_all(); });
}

}  // namespace
}  // namespace spanforge::app
