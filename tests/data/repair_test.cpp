#include "spanforge/data/repair.h"

#include <algorithm>

#include <fmt/core.h>

#include "data/repairing.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using namespace std::string_view_literals;

// Views, not strings: a list of so many strings makes GCC 12 warn about their lifetimes.
struct RepairCase {
  std::string_view name, context, text;
  int64_t start;
  std::string_view kind;  // "": not repaired
  std::string_view after_text = "";
  int64_t after_start = 0;
};

TEST(PlanRepairs, MakesTheOneCertainRepairOfEachKind) {
  const std::vector<RepairCase> cases = {
      {"UTF-16", "😀😀 Ann, Ann", "Ann", 5, "utf16_offset", "Ann", 3},
      {"bytes", "é. Ann é Ann", "Ann", 4, "byte_offset", "Ann", 3},
      {"leading space", "  Bo, Ann, Ann", "Ann", 4, "whitespace", "Ann", 6},
      {"\\r\\n as one", "a\r\nb\r\nAnn, Ann", "Ann", 4, "whitespace", "Ann", 6},
      {"\\n as two", "a\nb\nAnn, Ann", "Ann", 6, "whitespace", "Ann", 4},
      {"white space inside", "Ann\r\nsings", "Ann sings", 0, "whitespace", "Ann\r\nsings", 0},
      {"white space at the ends", "Ann sings", " sings ", 3, "whitespace", "sings", 4},
      {"one too many", "a b Ann, Ann", "Ann", 5, "off_by_one", "Ann", 4},
      {"one too few", "a b Ann, Ann", "Ann", 3, "off_by_one", "Ann", 4},
      {"elsewhere", "Ann sings and Bo reads", "Bo", 0, "unique_occurrence", "Bo", 14},
      {"negative", "Ann sings", "sings", -1, "unique_occurrence", "sings", 4},
      {"past the end", "Ann sings", "sings", 1000, "unique_occurrence", "sings", 4},
      {"normal form", "le cafe\u0301", "café", 3, "normal_form", "cafe\u0301", 3},
      {"invisible", "le ca\u200Bfé", "café", 3, "invisible", "ca\u200Bfé", 3},
      {"NUL", "le ca\0fe"sv, "cafe", 3, "invisible", "ca\0fe"sv, 3},
      {"negative, several", "Ann and Ann", "Ann", -1, ""},
      {"several", "Ann and Ann, said Bo the other day", "Ann", 22, ""},
      {"two explanations", "ééxa..a", "a", 5, ""},
      {"absent", "Ann sings", "Bo", 0, ""},
      {"another case", "Ann sings", "ann", 0, ""},
      {"empty", "Ann sings", "", 3, ""},
      {"empty, past the end", "Ann sings", "", 30, ""},
  };
  for (const RepairCase& item : cases) {
    SCOPED_TRACE(item.name);
    const Json before = {{"text", item.text}, {"answer_start", item.start}};
    const std::string text = only_answer(std::string(item.context), before);
    RepairPlan plan;
    const std::string fixed = fix(text, {}, &plan);
    EXPECT_EQ(plan.answers, 1);
    if (item.kind.empty()) {
      EXPECT_TRUE(plan.repairs.empty());
      EXPECT_FALSE(plan.left.empty());
      EXPECT_EQ(fixed, text);
      continue;
    }
    ASSERT_EQ(plan.repairs.size(), 1u);
    EXPECT_TRUE(plan.left.empty());
    EXPECT_EQ(repair_name(plan.repairs[0].kind), item.kind);
    const Answer after{std::string(item.after_text), item.after_start};
    EXPECT_EQ(plan.repairs[0].after, after);
    EXPECT_EQ(parse_dataset(fixed, "fixed").examples[0].answers[0], after);
  }
}

TEST(PlanRepairs, ChangesTextToASimilarSpanOnlyIfAsked) {
  const std::string text =
      only_answer("It was the old grey goose.", {{"text", "old grey goose?"}, {"answer_start", 3}});
  EXPECT_EQ(fix(text), text);
  RepairPlan plan;
  const std::string fixed = fix(text, {.similar = true}, &plan);
  EXPECT_EQ(parse_dataset(fixed, "").examples[0].answers[0], (Answer{"old grey goose", 11}));
  const Json json = plan_to_json(plan, read_dataset_text(text, "set.json"));
  EXPECT_EQ(json["kinds"], (Json{{"similar_span", 1}}));
  EXPECT_EQ(json["changes"][0]["f1"], 1.0);
  // Two spans are equally good, so neither is used.
  const std::string twice =
      only_answer("old goose, old goose", {{"text", "the old goose"}, {"answer_start", 0}});
  EXPECT_EQ(fix(twice, {.similar = true}, &plan), twice);
  EXPECT_NE(plan.left[0].reason.find("3 spans"), std::string::npos) << plan.left[0].reason;
  EXPECT_EQ(fix(text, {.similar = true, .min_f1 = 1}), fixed);
}

TEST(PlanRepairs, TrimsAlignedAnswersOnlyIfAsked) {
  const std::string text = only_answer("Ann  sings", {{"text", "  sings"}, {"answer_start", 3}});
  EXPECT_EQ(fix(text), text);
  const std::string fixed = fix(text, {.trim = true});
  EXPECT_EQ(parse_dataset(fixed, "").examples[0].answers[0], (Answer{"sings", 5}));
  EXPECT_EQ(fix(fixed, {.trim = true}), fixed);
  // Found elsewhere and trimmed at once, so that a second repair changes nothing.
  const std::string shifted = only_answer("Ann  sings", {{"text", " sings"}, {"answer_start", 0}});
  const std::string both = fix(shifted, {.trim = true});
  EXPECT_EQ(parse_dataset(both, "").examples[0].answers[0], (Answer{"sings", 5}));
}

TEST(PlanRepairs, RepairsStartsOfAnotherTypeAndIdsAndListsOtherFaults) {
  const std::string text = R"([
 {"id": "a", "context": "Ann sings", "question": "q", "answers": [{"text": "sings", "answer_start": "4"}]},
 {"id": "b", "context": "Ann sings", "question": "r", "answers": [{"text": "sings", "answer_start": 4.0}]},
 {"id": "c", "context": "Ann sings", "question": "s", "answers": [{"text": "sings", "answer_start": 0.5}]},
 {"id": "d", "context": "Ann sings", "question": "t", "answers": [{"text": "Bo", "answer_start": null}]},
 {"id": "a", "context": "Ann sings", "question": "u", "answers": []},
 {"id": "e", "context": "Ann sings", "question": " ", "answers": []},
 {"id": "f", "context": "Ann sings", "answers": []},
 {"id": "g", "context": "Ann sings", "question": "v", "is_impossible": true,
  "answers": [{"text": "Ann", "answer_start": 1}]}])";
  RepairPlan plan;
  const std::string fixed = fix(text, {}, &plan);
  std::string expected = text;
  const auto put = [&](const std::string& old, const std::string& fresh) {
    ASSERT_NE(expected.find(old), std::string::npos) << old;
    expected.replace(expected.find(old), old.size(), fresh);
  };
  put("\"4\"", "4");
  put("4.0", "4");
  put("0.5", "4");
  put(": 1}", ": 0}");
  put("\"a\", \"context\": \"Ann sings\", \"question\": \"u\"",
      "\"a-2\", \"context\": \"Ann sings\", \"question\": \"u\"");
  EXPECT_EQ(fixed, expected);
  std::vector<std::string> left;
  for (const LeftOver& one : plan.left) left.push_back(one.kind + " " + one.place);
  EXPECT_EQ(left, (std::vector<std::string>{"absent [3].answers[0]", "bad_row [6]",
                                            "empty_question [5]", "impossible_with_answers [7]"}));
}

// One question of a context. A repair is printed as "kind text@start", a finding left as "left
// kind".
std::vector<std::string> plan_of(const std::string& rows_text, std::string* fixed = nullptr) {
  RepairPlan plan;
  const std::string out = fix(rows_text, {}, &plan);
  if (fixed != nullptr) *fixed = out;
  std::vector<std::string> lines;
  for (const Repair& one : plan.repairs) {
    lines.push_back(
        fmt::format("{} {}@{}", repair_name(one.kind), one.after.text, one.after.answer_start));
  }
  for (const LeftOver& one : plan.left) lines.push_back("left " + one.kind);
  return lines;
}

std::string answers_in(const std::string& context, const std::string& answers,
                       const std::string& more = "") {
  return R"([{"id": "a", "context": ")" + context + R"(", "question": "q")" + more +
         R"(, "answers": )" + answers + "}]";
}

struct FaultRepairCase {
  std::string name, context, answers, more;
  std::vector<std::string> plan;
  std::string after;  // the answers in the repaired file; "": unchanged
};

TEST(PlanRepairs, WritesTheOnlyMeaningOfTextsStartsAndEmptyAnswers) {
  using Plan = std::vector<std::string>;
  const std::vector<FaultRepairCase> cases = {
      {"number, right start", "约3人", R"([{"text": 3, "answer_start": 1}])", "",
       Plan{"number_text 3@1"}, R"([{"text": "3", "answer_start": 1}])"},
      {"number as it is spelt", "1.50 m, 1.5 m", R"([{"text": 1.50, "answer_start": 8}])", "",
       Plan{"number_text 1.50@0"}, R"([{"text": "1.50", "answer_start": 0}])"},
      {"number without a start", "1,300 and 300", R"([{"text": 300}])", "",
       Plan{"number_text 300@10"}, R"([{"text": "300", "answer_start": 10}])"},
      {"number and start of other types", "3人", R"([{"text": 3, "answer_start": "0"}])", "",
       Plan{"number_text 3@0"}, R"([{"text": "3", "answer_start": 0}])"},
      {"number inside a number", "1500", R"([{"text": 5, "answer_start": 1}])", "",
       Plan{"left answer_text_type"}, ""},
      {"number inside a number, start as a string", "1500", R"([{"text": 5, "answer_start": "1"}])",
       "", Plan{"left answer_start_type", "left answer_text_type"}, ""},
      {"number nowhere", "1500", R"([{"text": 7, "answer_start": 1}])", "",
       Plan{"left absent", "left answer_text_type"}, ""},
      {"number in several places", "3 or 3", R"([{"text": 3, "answer_start": 2}])", "",
       Plan{"left absent", "left answer_text_type"}, ""},
      {"numbers in a list", "1500 or 500", R"([1500, 500])", "",
       Plan{"number_text 1500@0", "left answer_text_type"}, R"(["1500", 500])"},
      {"a number by itself", "7 men", "7", "", Plan{"number_text 7@0"}, R"("7")"},
      {"true, where it stands", "true or not", R"([{"text": true, "answer_start": 0}])", "",
       Plan{"number_text true@0"}, R"([{"text": "true", "answer_start": 0}])"},
      {"true, where it does not", "is it true", R"([{"text": true, "answer_start": 0}])", "",
       Plan{"left absent", "left answer_text_type"}, ""},
      {"null", "null", R"([{"text": null, "answer_start": 0}])", "", Plan{"left answer_text_type"},
       ""},
      {"no start", "Ann", R"([{"text":"Ann"}])", "", Plan{"unique_occurrence Ann@0"},
       R"([{"text":"Ann", "answer_start": 0}])"},
      {"no start, other members", "Ann", R"([{"text":"Ann" , "n": 1}])", "",
       Plan{"unique_occurrence Ann@0"}, R"([{"text":"Ann", "answer_start": 0 , "n": 1}])"},
      {"no start, changed text", "An  n", R"([{"text":"An n"}])", "", Plan{"whitespace An  n@0"},
       R"([{"text":"An  n", "answer_start": 0}])"},
      {"null for a start", "Ann", R"([{"answer_start": null, "text":"Ann"}])", "",
       Plan{"unique_occurrence Ann@0"}, R"([{"answer_start": 0, "text":"Ann"}])"},
      {"-1 for a start, one object", "x Ann", R"({"text":"Ann","answer_start":-1})", "",
       Plan{"unique_occurrence Ann@2"}, R"({"text":"Ann","answer_start":2})"},
      {"another tool's names", "x Ann", R"([{"answer_text":"Ann","answerStart":-1}])", "",
       Plan{"unique_occurrence Ann@2"}, R"([{"answer_text":"Ann","answerStart":2}])"},
      {"the first known name counts", "x Ann", R"([{"start": 7, "text":"Ann","answer_start":-1}])",
       "", Plan{"unique_occurrence Ann@2"}, R"([{"start": 7, "text":"Ann","answer_start":2}])"},
      {"two lists", "x Ann a a", R"({"text":["Ann","a",""],"answer_start":[-1,null,-1]})", "",
       Plan{"unique_occurrence Ann@2", "left unknown_start"},
       R"({"text":["Ann","a",""],"answer_start":[2,null,-1]})"},
      {"a list of texts alone", "x Ann a a", R"({"text":["", "a","Ann"]})", "",
       Plan{"unique_occurrence Ann@2", "left unknown_start"},
       R"({"text":["", "a","Ann"], "answer_start": [-1, -1, 2]})"},
      {"a list of texts and null", "x Ann", R"({"answer_start":null,"text":["Ann"]})", "",
       Plan{"unique_occurrence Ann@2"}, R"({"answer_start":[2],"text":["Ann"]})"},
      {"no start, several places", "a a", R"([{"text":"a"}])", "", Plan{"left unknown_start"}, ""},
      {"no start, nowhere", "a a", R"([{"text":"b"}])", "", Plan{"left absent"}, ""},
      {"strings have no starts", "a a", R"(["a"])", "", Plan{}, ""},
      {"empty under is_impossible", "a", R"([{"text":"","answer_start":5}, {"text": " "}])",
       R"(, "is_impossible": true)", Plan{"empty_answer_means_none @0"}, "[]"},
      {"empty lists", "a", R"({"text":[""],"answer_start":[0]})", R"(, "is_impossible": true)",
       Plan{"empty_answer_means_none @0"}, R"({"text":[],"answer_start":[]})"},
      {"an empty string", "a", R"("")", R"(, "is_impossible": true)",
       Plan{"empty_answer_means_none @0"}, "[]"},
      {"empty beside another", "a",
       R"([{"text":"","answer_start":0}, {"text":"a","answer_start":1}])",
       R"(, "is_impossible": true)", Plan{"off_by_one a@0", "left impossible_with_answers"},
       R"([{"text":"","answer_start":0}, {"text":"a","answer_start":0}])"},
  };
  for (const FaultRepairCase& item : cases) {
    SCOPED_TRACE(item.name);
    const std::string text = answers_in(item.context, item.answers, item.more);
    std::string fixed;
    EXPECT_EQ(plan_of(text, &fixed), item.plan);
    EXPECT_EQ(fixed,
              answers_in(item.context, item.after.empty() ? item.answers : item.after, item.more));
    EXPECT_EQ(fix(fixed), fixed);
  }
}

TEST(PlanRepairs, SpellsFlagsAsTheyAreRead) {
  const std::vector<std::pair<std::string, std::string>> flags = {
      {R"("true")", "true"}, {R"("No")", "false"}, {"1", "true"},      {"0", "false"},
      {R"("")", "false"},    {"0.0", "false"},     {"false", "false"}, {"null", "null"}};
  for (const auto& [before, after] : flags) {
    for (const std::string key : {"is_impossible", "isImpossible", "no_answer"}) {
      SCOPED_TRACE(key + ": " + before);
      const std::string fixed = fix(answers_in("a", "[]", ", \"" + key + "\": " + before));
      EXPECT_EQ(fixed, answers_in("a", "[]", ", \"" + key + "\": " + after));
    }
  }
}

TEST(PlanRepairs, GivesDuplicatesANewId) {
  const auto rows = [](const std::vector<std::string>& ids) {
    std::string text = "[";
    for (const std::string& id : ids) {
      text += (text.size() > 1 ? ",\n" : "") + std::string(R"({"question": "q", "id": )") + id +
              R"(, "answers": [], "context": "id"})";
    }
    return text + "]";
  };
  using Ids = std::vector<std::string>;
  const std::vector<std::pair<Ids, Ids>> cases = {
      {{R"("d")", R"("d")", R"("d")"}, {R"("d")", R"("d-2")", R"("d-3")"}},
      {{R"("d")", R"("d")", R"("d-2")"}, {R"("d")", R"("d-3")", R"("d-2")"}},
      {{R"("d-2")", R"("d")", R"("d-2")"}, {R"("d-2")", R"("d")", R"("d-2-2")"}},
      {{"7", "9", "7", "7"}, {"7", "9", "10", "11"}},
      {{"7", R"("7")", R"("x")"}, {"7", R"("8")", R"("x")"}},
      {{R"("é")", R"("\u00e9")"}, {R"("é")", R"("é-2")"}},
      {{"-1", "-1"}, {"-1", R"("-1-2")"}},
      {{"99999999999999999", "99999999999999999"},
       {"99999999999999999", R"("99999999999999999-2")"}},
  };
  for (const auto& [before, after] : cases) {
    SCOPED_TRACE(rows(before));
    RepairPlan plan;
    const std::string fixed = fix(rows(before), {}, &plan);
    EXPECT_EQ(fixed, rows(after));
    EXPECT_TRUE(plan.left.empty());
    EXPECT_TRUE(read_dataset_text(fixed, "fixed").faults.empty());
  }
}

TEST(PlanRepairs, FindsAShiftThatTheNeighboursProve) {
  const std::string context = "one two three two five two seven two nine";
  const auto rows = [&](const std::string& answers) {
    const std::string open = R"({"id": ")";
    std::string text = R"([{"context": ")" + context + R"(", "qas": [)";
    int i = 0;
    for (size_t at = 0; at < answers.size(); ++i) {  // "three@10 two@16"
      const size_t end = std::min(answers.find(' ', at), answers.size());
      const std::string one = answers.substr(at, end - at);
      const size_t sign = one.find('@');
      text += (i > 0 ? ", " : "") + open + std::to_string(i) +
              R"(", "question": "q", "answers": [{)" + R"("text": ")" + one.substr(0, sign) +
              R"(", "answer_start": )" + one.substr(sign + 1) + "}]}";
      at = end + 1;
    }
    return text + "]}]";
  };
  using Plan = std::vector<std::string>;
  const std::vector<std::pair<std::string, Plan>> cases = {
      {"three@10 two@16 five@20",
       {"unique_occurrence three@8", "context_shift two@14", "unique_occurrence five@18"}},
      {"two@16 three@10 five@20",
       {"context_shift two@14", "unique_occurrence three@8", "unique_occurrence five@18"}},
      {"five@20 nine@39 two@16",  // sure answers on one side only, all with the shift
       {"unique_occurrence five@18", "unique_occurrence nine@37", "context_shift two@14"}},
      {"five@20 two@16", {"unique_occurrence five@18", "left repeated"}},
      {"one@0 five@20 two@16", {"unique_occurrence five@18", "left repeated"}},
      {"five@20 nine@40 two@16",
       {"unique_occurrence five@18", "unique_occurrence nine@37", "left repeated"}},
      {"three@10 two@17 five@20",  // the answer is not at the shifted start
       {"unique_occurrence three@8", "unique_occurrence five@18", "left repeated"}},
      {"three@-1 two@16 five@20",
       {"unique_occurrence three@8", "unique_occurrence five@18", "left repeated"}},
      {"two@4 two@16 two@33", {"left repeated"}},  // aligned ones that are repeated prove nothing
  };
  for (const auto& [answers, expected] : cases) {
    SCOPED_TRACE(answers);
    std::string fixed;
    EXPECT_EQ(plan_of(rows(answers), &fixed), expected);
    EXPECT_EQ(fix(fixed), fixed);
  }
  const Dataset dataset = read_dataset_text(rows("three@10 two@16 five@20"), "set.json");
  const Json json = plan_to_json(plan_repairs(dataset, {}), dataset);
  EXPECT_EQ(
      json["changes"][1]["proof"],
      (Json{{"shift", -2}, {"before", 1}, {"behind", 1}, {"id_before", "0"}, {"id_behind", "2"}}));
  const Json check = check_to_json(check_datasets({&dataset}), {&dataset})["files"][0];
  EXPECT_EQ(check["causes"], (Json{{"context_shift", 1}, {"shifted", 2}}));
  EXPECT_EQ(check["repairable"], 3);
}

}  // namespace
}  // namespace spanforge
