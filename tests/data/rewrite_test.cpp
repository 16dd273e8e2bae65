#include "spanforge/data/rewrite.h"

#include "data/repairing.h"
#include "support/testing.h"

namespace spanforge {
namespace {

TEST(FindByteChanges, KeepsEveryOtherByteInEveryForm) {
  const std::string crlf =
      "\xEF\xBB\xBF{ \"x\" : [1.50, 1e3, {\"answers\": [{\"text\": \"no\"}]}],\r\n\t\"data\":[ "
      "{\"paragraphs\":[{\"qas\":[{\"answers\":[{\"extra\":null,\"answer_start\": 12 ,"
      "\"text\":\"sings\"},{\"text\":\"\",\"answer_start\":-1},{\"text\":\"A\\u006En\","
      "\"answer_start\":7,\"answer_start2\":7}],\"id\":\"q\\/1\",\"question\":\"?\"}],"
      "\"context\":\"\\u0041nn sings\"}]}]}\r\n\r\n";
  std::string expected = crlf;
  expected.replace(expected.find(" 12 "), 4, " 4 ");
  expected.replace(expected.find(":7,"), 3, ":0,");
  EXPECT_EQ(fix(crlf), expected);

  const std::string lines =
      "{\"id\":1,\"context\":\"Ann "
      "sings\",\"question\":\"q\",\"answers\":{\"answer_start\":[9,-1,0],"
      "\"text\":[\"sings\",\"\",\"Bo\"]}}\r\n\n"
      "{\"id\":2,\"context\":\"Ann  sings\",\"question\":\"q\",\"answers\":{\"text\":[\"Ann "
      "sings\"],"
      "\"answer_start\":[ 0 ]}}\n";
  expected = lines;
  expected.replace(expected.find("[9,"), 3, "[4,");
  expected.replace(expected.find("[\"Ann sings\"]"), 13, "[\"Ann  sings\"]");
  EXPECT_EQ(fix(lines), expected);

  const std::string cmrc =
      R"([{"context_text": "光荣  社。", "qas": [{"query_id": "Q", "query_text": "?",)"
      R"( "answers": ["光荣社", "光荣"]}]}])";
  expected = cmrc;
  expected.replace(expected.find("\"光荣社\""), 11, "\"光荣  社\"");
  EXPECT_EQ(fix(cmrc), expected);

  const std::string row = R"({"id":"a","context":"Ann","question":"q","answers":[)"
                          R"({"text":"Ann","answer_start":1}]})";
  expected = row;
  expected.replace(expected.find(":1}"), 3, ":0}");
  EXPECT_EQ(fix(row), expected);
}

TEST(FindByteChanges, WritesTextsAsTheFileDoes) {
  const std::string ascii = R"([{"id":"a","context":"caf\u00e9  cr\u00e8me","question":"q",)"
                            R"("answers":[{"text":"caf\u00e9 cr\u00e8me","answer_start":0}]}])";
  EXPECT_NE(fix(ascii).find(R"("text":"caf\u00e9  cr\u00e8me")"), std::string::npos) << fix(ascii);
  const std::string utf8 = R"([{"id":"a","context":"café  \"crème\"\u0000","question":"q",)"
                           R"("answers":[{"text":"café \"crème\"","answer_start":0}]}])";
  EXPECT_NE(fix(utf8).find(R"("text":"café  \"crème\"")"), std::string::npos) << fix(utf8);
}

TEST(FindByteChanges, RefusesAFileThatWasChanged) {
  const std::string text = only_answer("Ann", {{"text", "Ann"}, {"answer_start", 1}});
  const Dataset dataset = read_dataset_text(text, "set.json");
  const std::vector<RowChange> changes = {{.after = {"Ann", 0}}};
  for (const std::string& other :
       {only_answer("Ann", {{"text", "Anna"}, {"answer_start", 1}}),
        only_answer("Ann", {{"text", "Ann"}, {"answer_start", 2}}), std::string("[]")}) {
    SCOPED_TRACE(other);
    const Error error = testing::expect_error(ErrorCode::kBadData,
                                              [&] { find_byte_changes(other, dataset, changes); });
    EXPECT_NE(error.reason().find("changed"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace spanforge
