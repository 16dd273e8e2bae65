#include "spanforge/data/python_literal.h"

#include "support/testing.h"

namespace spanforge {
namespace {

TEST(PythonLiteral, ReadsWhatPythonPandasAndNumpyPrint) {
  struct Row {
    std::string_view text;
    Json value;
  };
  const std::vector<Row> rows = {
      {"{'text': ['Ulm'], 'answer_start': [5]}",
       {{"text", Json::array({"Ulm"})}, {"answer_start", Json::array({5})}}},
      {"{'text': array(['a', 'b'], dtype=object), 'answer_start': array([1, 2], dtype=int32)}",
       {{"text", Json::array({"a", "b"})}, {"answer_start", Json::array({1, 2})}}},
      {"[np.int64(5), np.str_('x')]", Json::array({5, "x"})},
      {"['a' 'b'\n \"it's\"]", Json::array({"a", "b", "it's"})},
      {"[1 -2]", Json::array({1, -2})},
      {"('a', None, True, False, nan)", Json::array({"a", nullptr, true, false, nullptr})},
      {"[]", Json::array()},
      {"{}", Json::object()},
      {"array([], dtype=float64)", Json::array()},
      {"array(['a'], dtype='<U3')", Json::array({"a"})},
      {R"(["q\"\\\/\n\u00e9\ud83d\ude00"])", Json::array({"q\"\\/\n\u00e9\U0001F600"})},
      {R"(['\x41\'\U0001f600'])", Json::array({"A'\U0001F600"})},
      {"[1.5, 2.]", Json::array({1.5, 2.0})},
      {"u'x'", "x"}};
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.text));
    const std::optional<Json> value = parse_python_literal(row.text);
    ASSERT_TRUE(value.has_value());
    EXPECT_EQ(*value, row.value) << value->dump();
  }
}

TEST(PythonLiteral, RefusesOtherTexts) {
  for (const std::string_view text :
       {"", "[", "['a'", "{'a'}", "{'a': }", "['a'] and", "[a]", "'\\ud83d'", "'open", "[1st]",
        "hello", "array([1]", "{1: 2}", "'\\x4'"}) {
    SCOPED_TRACE(std::string(text));
    EXPECT_FALSE(parse_python_literal(text).has_value());
  }
  EXPECT_FALSE(parse_python_literal(std::string(100000, '[')).has_value());
}

}  // namespace
}  // namespace spanforge
