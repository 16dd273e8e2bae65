#include "spanforge/serve/schema.h"

#include <gtest/gtest.h>

#include "spanforge/base/json.h"

namespace spanforge::serve {
namespace {

struct Bad {
  const char* name;
  std::string body;
  int status;
  std::string place, message;  // message: a part of the refusal's
};

void expect_refused(const std::vector<Bad>& rows,
                    CallOrRefusal (*parse)(std::string_view, const Limits&)) {
  Limits limits;
  limits.questions = 2;
  limits.texts_bytes = 100;
  ASSERT_FALSE(rows.empty());
  for (const Bad& row : rows) {
    SCOPED_TRACE(row.name);
    const CallOrRefusal parsed = parse(row.body, limits);
    ASSERT_TRUE(parsed.refusal);
    EXPECT_EQ(parsed.refusal->status, row.status);
    EXPECT_EQ(parsed.refusal->place, row.place);
    EXPECT_NE(parsed.refusal->message.find(row.message), std::string::npos)
        << parsed.refusal->message;
    EXPECT_NE(parsed.refusal->message.find("(line "), std::string::npos) << parsed.refusal->message;
  }
}

TEST(Schema, OurCallIsRead) {
  const CallOrRefusal parsed = parse_answer_call(
      R"({"model": "news", "top_k": 2.0, "timeout_ms": 2000, "offset_unit": "utf16", "decoder": "run_qa",
          "questions": [{"id": "a", "question": "谁?", "context": 0}, {"question": "Who?", "context": "Anna."}],
          "contexts": ["小艾咪。"]})",
      Limits());
  ASSERT_FALSE(parsed.refusal) << parsed.refusal->message;
  const AnswerCall& call = parsed.call;
  EXPECT_EQ(call.model, "news");
  EXPECT_EQ(call.options.top_k, 2);
  EXPECT_EQ(call.options.decoder, DecoderKind::kRunQa);
  EXPECT_EQ(call.timeout, Milliseconds(2000));
  EXPECT_EQ(call.unit, OffsetUnit::kUtf16);
  ASSERT_EQ(call.questions.size(), 2u);
  EXPECT_EQ(call.questions[0].id, "a");
  EXPECT_EQ(call.questions[0].context, "小艾咪。");
  EXPECT_EQ(call.questions[1].context, "Anna.");
  EXPECT_EQ(call.question_places[1], "questions[1].question");
  EXPECT_EQ(call.context_places[0], "contexts[0]");
}

TEST(Schema, WhatIsWrongWithOurCallIsNamed) {
  const std::string asked = R"({"question": "a", "context": "b"})";
  const std::string text60(60, 'x');
  expect_refused(
      {
          {"no body", "", 400, "", "an object must follow"},
          {"no object", "[]", 400, "", "an object"},
          {"a web page", "<!doctype html><html><body>502 Bad Gateway</body></html>", 400, "",
           "the body must be a JSON object"},
          {"a Git LFS pointer",
           "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, 'a') +
               "\nsize 3\n",
           400, "", "the body must be a JSON object"},
          {"truncated", "{", 400, "", "a key in quotes"},
          {"more after it", "{} x", 400, "", ""},
          {"no questions member", "{}", 400, "", "questions is missing"},
          {"bad UTF-8", "{\"questions\": [{\"question\": \"\xff\", \"context\": \"b\"}]}", 400,
           "questions[0].question", "UTF-8"},
          {"lone surrogate", R"({"questions": [{"question": "\ud800", "context": "b"}]})", 400,
           "questions[0].question", ""},
          {"duplicate key", R"({"questions": [)" + asked + R"(], "questions": []})", 400, "", ""},
          {"many brackets", std::string(70, '['), 400, "", ""},
          {"no question in the list", R"({"questions": []})", 400, "questions",
           "holds no question"},
          {"missing question", R"({"questions": [{"context": "b"}]})", 400, "questions[0]",
           "has no question"},
          {"missing context", R"({"questions": [{"question": "a"}]})", 400, "questions[0]",
           "has no context"},
          {"wrong type", R"({"questions": [{"question": 1, "context": "b"}]})", 400,
           "questions[0].question", "a text"},
          {"unknown field", R"({"questions": [{"question": "a", "context": "b", "x": 1}]})", 400,
           "questions[0].x", "no member"},
          {"another schema's field", R"({"questions": [)" + asked + R"(], "topk": 1})", 400, "topk",
           "no member"},
          {"no whole number", R"({"questions": [)" + asked + R"(], "top_k": 1.5})", 400, "top_k",
           "whole number"},
          {"a text for a number", R"({"questions": [)" + asked + R"(], "top_k": "1"})", 400,
           "top_k", "must follow"},
          {"top_k above 100", R"({"questions": [)" + asked + R"(], "top_k": 101})", 422, "top_k",
           "1 to 100"},
          {"top_k of 0", R"({"questions": [)" + asked + R"(], "top_k": 0})", 422, "top_k",
           "1 to 100"},
          {"top_k of 1e300", R"({"questions": [)" + asked + R"(], "top_k": 1e300})", 422, "top_k",
           "1 to 100"},
          {"unknown unit", R"({"questions": [)" + asked + R"(], "offset_unit": "utf8"})", 400,
           "offset_unit", "utf16"},
          {"unknown decoder", R"({"questions": [)" + asked + R"(], "decoder": "x"})", 400,
           "decoder", "run_qa"},
          {"no such context",
           "{\"contexts\": [\"b\"],\n \"questions\": [" + asked +
               R"(, {"question": "a", "context": 3}]})",
           422, "questions[1].context", "index 3, but 1 context was sent (line 2, column "},
          {"empty question", R"({"questions": [{"question": "", "context": "b"}]})", 422,
           "questions[0].question", "is empty"},
          {"empty context", R"({"contexts": [""], "questions": [{"question": "a", "context": 0}]})",
           422, "contexts[0]", "is empty"},
          {"too many questions", R"({"questions": [)" + asked + "," + asked + "," + asked + "]}",
           413, "questions", "has 3 questions; 2 are allowed"},
          {"shared texts too large",
           R"({"contexts": [")" + text60 +
               R"("], "questions": [{"question": "a", "context": 0}, {"question": "b", "context": 0}]})",
           413, "contexts[0]", "have 120 bytes; 100 are allowed"},
      },
      parse_answer_call);
}

TEST(Schema, HuggingFacesCallIsReadWithAndWithoutInputs) {
  for (const char* body :
       {R"({"inputs": {"question": "a", "context": "b"}, "parameters": {"topk": 3, "doc_stride": 5,
                               "max_answer_len": 7, "max_seq_len": 50, "max_question_len": 9, "align_to_words": false,
                               "handle_impossible_answer": true, "decoder": "pipeline"}, "options": {"use_cache": false}})",
        R"({"context": "b", "question": ["a"], "parameters": {"top_k": 3, "doc_stride": 5,
                               "max_answer_len": 7, "max_seq_len": 50, "max_question_len": null, "align_to_words": false,
                               "handle_impossible_answer": true, "decoder": "pipeline"}})"}) {
    const CallOrRefusal parsed = parse_hugging_face_call(body, Limits());
    ASSERT_FALSE(parsed.refusal) << parsed.refusal->message;
    const AskOptions& options = parsed.call.options;
    EXPECT_TRUE(parsed.call.hugging_face);
    ASSERT_EQ(parsed.call.questions.size(), 1u);
    EXPECT_EQ(parsed.call.questions[0].question, "a");
    EXPECT_EQ(options.top_k, 3);
    EXPECT_EQ(options.window_overlap, 5);
    EXPECT_EQ(options.max_answer_length, 7);
    EXPECT_EQ(options.max_seq_length, 50);
    EXPECT_EQ(options.null_answers, true);
    EXPECT_EQ(options.align_to_words, false);
    EXPECT_EQ(options.decoder, DecoderKind::kPipeline);
  }
}

TEST(Schema, HuggingFacesListsArePairedOrShareAText) {
  const auto shared =
      parse_hugging_face_call(R"({"inputs": {"question": ["a", "b"], "context": "c"}})", Limits());
  ASSERT_EQ(shared.call.questions.size(), 2u);
  EXPECT_EQ(shared.call.questions[1].context, "c");
  const auto pairs = parse_hugging_face_call(
      R"({"inputs": {"question": ["a", "b"], "context": ["c", "d"]}})", Limits());
  ASSERT_EQ(pairs.call.questions.size(), 2u);
  EXPECT_EQ(pairs.call.questions[1].context, "d");
}

TEST(Schema, WhatIsWrongWithHuggingFacesCallIsNamed) {
  std::string deep_place = "options";
  for (int i = 0; i < 63; ++i) deep_place += "[0]";
  expect_refused(
      {
          {"no inputs", "{}", 400, "", "inputs is missing"},
          {"no context", R"({"inputs": {"question": "a"}})", 400, "", "inputs.context is missing"},
          {"lists of two lengths", R"({"inputs": {"question": ["a", "b"], "context": ["c"]}})", 422,
           "inputs.context[0]", "2 questions, but 1"},
          {"empty list", R"({"inputs": {"question": [], "context": "c"}})", 400, "inputs.question",
           "is empty"},
          {"inputs and question",
           R"({"inputs": {"question": "a", "context": "b"}, "question": "c"})", 400, "question",
           "no member"},
          {"top_k twice",
           R"({"inputs": {"question": "a", "context": "b"}, "parameters": {"top_k": 1, "topk": 1}})",
           400, "parameters.topk", "twice"},
          {"null for an unknown parameter",
           R"({"inputs": {"question": "a", "context": "b"}, "parameters": {"x": null}})", 400,
           "parameters.x", "no member"},
          {"unknown parameter",
           R"({"inputs": {"question": "a", "context": "b"}, "parameters": {"temperature": 1}})",
           400, "parameters.temperature", "no member"},
          {"empty question of theirs", R"({"inputs": {"question": "", "context": "b"}})", 422,
           "inputs.question", "is empty"},
          {"depth > 64",
           R"({"inputs": {"question": "a", "context": "b"}, "options": )" + std::string(64, '[') +
               std::string(64, ']') + "}",
           400, deep_place, "64"},
          {"too many texts", R"({"inputs": {"question": ["a", "b", "c"], "context": "b"}})", 413,
           "inputs.question", "has 3 texts; 2 are allowed"},
      },
      parse_hugging_face_call);
}

TEST(Schema, OffsetsAreInTheUnitAskedFor) {
  const std::string context = "é😀ab";  // 2, 4, 1, 1 bytes
  EXPECT_EQ(convert_span(context, {2, 3}, OffsetUnit::kCodePoint), (CharSpan{2, 3}));
  EXPECT_EQ(convert_span(context, {2, 4}, OffsetUnit::kUtf16), (CharSpan{3, 5}));
  EXPECT_EQ(convert_span(context, {1, 3}, OffsetUnit::kByte), (CharSpan{2, 7}));
}

AskResult result_of(std::vector<AskAnswer> answers) {
  AskResult result;
  result.answers = std::move(answers);
  result.no_answer = 0.25;
  result.windows = 1;
  return result;
}

TEST(Schema, AnswersHaveTheFormOfTheirSchema) {
  const AskAnswer anna{0.5, {0, 4}, "Anna"}, ben{0.25, {9, 12}, "Ben"};
  AnswerCall call;
  call.questions = {{"q", "Anna met Ben", "x"}};
  EXPECT_EQ(
      answers_to_json(call, {result_of({anna})}, {"m", "v", "spanforge"}),
      R"({"model":"m","model_version":"v","decoder":"spanforge","answers":[{"id":"x","no_answer":0.25,"windows":1,)"
      R"("spans":[{"answer":"Anna","start":0,"end":4,"score":0.5}]}]})");
  call.hugging_face = true;
  const std::string object = R"({"score":0.5,"start":0,"end":4,"answer":"Anna"})";
  EXPECT_EQ(answers_to_json(call, {result_of({anna})}, {}), object);
  call.options.top_k = 2;
  const std::string list = "[" + object + R"(,{"score":0.25,"start":9,"end":12,"answer":"Ben"}])";
  EXPECT_EQ(answers_to_json(call, {result_of({anna, ben})}, {}), list);
  call.questions.push_back(call.questions[0]);
  EXPECT_EQ(answers_to_json(call, {result_of({anna, ben}), result_of({anna, ben})}, {}),
            "[" + list + "," + list + "]");
  call.options.top_k = 1;
  EXPECT_EQ(answers_to_json(call, {result_of({anna}), result_of({anna})}, {}),
            "[" + object + "," + object + "]");
}

}  // namespace
}  // namespace spanforge::serve
