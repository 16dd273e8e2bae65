#include "spanforge/data/column_names.h"

#include "support/testing.h"

namespace spanforge {
namespace {

using testing::expect_error;
using Names = std::vector<std::string>;
using Given = std::vector<std::pair<std::string, std::string>>;

std::string parts_of(const Names& names, const Given& given = {}) {
  return describe_parts(find_parts(names, given, "a.csv"), names);
}

TEST(ColumnNames, AreKnownInAnyCaseAndLanguage) {
  struct Row {
    Names names;
    std::string parts;
  };
  const std::vector<Row> rows = {
      {{"Question", "CONTEXT", "Answer"},
       "question = Question, context = CONTEXT, answer = Answer"},
      {{"question text", "context-text", "Answer_Text", "answer start"},
       "question = question text, context = context-text, answer = Answer_Text, answer_start = "
       "answer start"},
      {{"问题", "正文", "答案", "编号", "起始位置"},
       "question = 问题, context = 正文, answer = 答案, answer_start = 起始位置, id = 编号"},
      {{"问题", "上下文", "答案"}, "question = 问题, context = 上下文, answer = 答案"},
      {{"id", "title", "context", "question", "answers.text", "answers.answer_start"},
       "question = question, context = context, answer = answers.text, answer_start = "
       "answers.answer_start, id = id, title = title"},
      {{"text", "question", "label"}, "question = question, context = text, answer = label"},
      {{"context", "question", "text", "answer_start"},
       "question = question, context = context, answer = text, answer_start = answer_start"},
      {{"question", "context", "x", ""},
       "question = question, context = context; not used: x, (no name)"}};
  for (const Row& row : rows) EXPECT_EQ(parts_of(row.names), row.parts);
}

TEST(ColumnNames, OfTheUserComeFirst) {
  EXPECT_EQ(parts_of({"q", "text", "question", "a"}, {{"question", "q"}, {"context", "text"}}),
            "question = q, context = text, answer = a; not used: question");
  EXPECT_EQ(parts_of({"context", "question"}, {{"question", "context"}, {"context", "question"}}),
            "question = context, context = question");
  const Error error = expect_error(ErrorCode::kUsage, [] {
    parts_of({"a", "b"}, {{"question", "q"}});
  });
  EXPECT_EQ(error.parameter(), "columns");
  EXPECT_EQ(error.reason(), "a.csv has no column \"q\"; it has: a, b");
}

TEST(ParseColumns, ReadsPairs) {
  EXPECT_EQ(parse_columns(""), Given{});
  EXPECT_EQ(parse_columns("question=q, context = 正文,answers=my answer"),
            (Given{{"question", "q"}, {"context", "正文"}, {"answer", "my answer"}}));
  for (const char* bad :
       {"question", "what=x", "question=", "question=a,question=b", ",", "answer=a,answers=b"}) {
    SCOPED_TRACE(bad);
    EXPECT_EQ(expect_error(ErrorCode::kUsage, [&] { parse_columns(bad); }).parameter(), "columns");
  }
}

}  // namespace
}  // namespace spanforge
