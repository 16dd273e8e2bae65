#include "spanforge/data/repair.h"

#include <algorithm>
#include <functional>
#include <map>

#include <fmt/core.h>

#include "spanforge/base/random.h"
#include "spanforge/data/rewrite.h"
#include "spanforge/data/similar_span.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

using namespace std::string_view_literals;

// The file's text after the repairs.
std::string fix(const std::string& text, const RepairOptions& options = {},
                RepairPlan* plan_out = nullptr) {
  const Dataset dataset = read_dataset_text(text, "set.json");
  const RepairPlan plan = plan_repairs(dataset, options);
  if (plan_out != nullptr) *plan_out = plan;
  std::string out;
  size_t done = 0;
  for (const ByteChange& change : find_byte_changes(text, dataset, changes_of(plan))) {
    EXPECT_LE(done, change.begin);
    out += text.substr(done, change.begin - done) + change.bytes;
    done = change.end;
  }
  return out + text.substr(done);
}

std::string only_answer(const std::string& context, const Json& answer) {
  const Json row = {
      {"id", "a"}, {"context", context}, {"question", "q?"}, {"answers", Json::array({answer})}};
  return Json::array({row}).dump();
}

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

struct SimilarCase {
  std::string name, context, text;
  double f1;
  std::vector<CharSpan> spans;
};

TEST(FindSimilarSpans, GivesTheBestByWordsAndCharacters) {
  const std::vector<SimilarCase> cases = {
      {"punctuation does not count", "他說：「你好」。", "你好，", 1, {{4, 6}}},
      {"one word more", "It was the old grey goose.", "old grey goose flies", 6.0 / 7, {{11, 25}}},
      {"one word inside", "the old and grey goose", "old grey goose", 6.0 / 7, {{4, 22}}},
      {"any order", "看光线所有的", "所有光线。", 1, {{1, 5}}},
      {"the answer's order first", "b a c a b c", "a b c.", 1, {{6, 11}}},
      {"its order twice", "a b. b a. a b", "a b!", 1, {{0, 3}, {10, 13}}},
      {"quotation marks", "说“你好”，走", "“你好”。", 1, {{1, 5}}},
      {"brackets of another kind", "(you) ran", "[you] ran!", 1, {{1, 9}}},
      {"any case", "The OLD Goose", "the old goose", 1, {{0, 13}}},
      {"not enough", "the old goose", "a young goose", 0, {}},
      {"twice", "old goose, old goose", "the old goose", 0.8, {{0, 9}, {4, 14}, {11, 20}}},
      {"repeats count", "so so", "so so so", 0.8, {{0, 5}}},
      {"Thai", "ฉันรักแมว", "รักแมว!", 1, {{3, 9}}},
      {"no unit", "a b", "?!", 0, {}},
      {"no context", "", "a", 0, {}},
  };
  for (const SimilarCase& item : cases) {
    SCOPED_TRACE(item.name);
    const SimilarSpans found = find_similar_spans(item.text, item.context, 0.8);
    EXPECT_DOUBLE_EQ(found.f1, item.f1);
    EXPECT_EQ(found.spans, item.spans);
    EXPECT_FALSE(found.given_up);
  }
  EXPECT_EQ(find_similar_spans("b c d e", "a b c", 0.6).spans, (std::vector<CharSpan>{{2, 5}}));
  EXPECT_TRUE(find_similar_spans("b c d e", "a b c", 0.7).spans.empty());
  std::string many;
  for (int i = 0; i < 20000; ++i) many += "a ";
  EXPECT_TRUE(find_similar_spans(many + "b", many, 0.8).given_up);
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

// Rows of few words with every known fault in every form.
class FaultyRows {
 public:
  explicit FaultyRows(uint64_t seed) : random_(seed) {}

  std::string make() {
    std::string text = "[";
    for (uint64_t paragraph = 1 + random_.next_below(3); paragraph > 0; --paragraph) {
      const uint64_t kinds = 2 + random_.next_below(5);
      const std::string context = words(14, kinds, true);
      shift_ = static_cast<int64_t>(random_.next_below(7)) - 3;
      text += (text.size() > 1 ? ", " : "") + std::string(R"({"context": ")") + context +
              R"(", "qas": [)";
      for (uint64_t n = 1 + random_.next_below(9); n > 0; --n) {
        text += question(kinds) + (n > 1 ? "," : "");
      }
      text += "]}";
    }
    return text + "]";
  }

 private:
  std::string pick(const std::vector<std::string>& list) {
    return list[static_cast<size_t>(random_.next_below(list.size()))];
  }

  // Makes a piece of JSON text; remembers the pieces of the context and their places.
  std::string words(uint64_t longest, uint64_t kinds, bool of_context = false) {
    static const std::vector<std::pair<std::string, int64_t>> all = {
        {"one", 3}, {"two ", 4},   {"7", 1},     {" ", 1},    {"cafe\u0301", 5}, {"😀", 1},
        {"17 ", 3}, {"\\r\\n", 2}, {"true ", 5}, {"café", 4}, {"x", 1}};
    if (of_context) context_.clear(), from_ = random_.next_below(all.size());
    std::string text;
    int64_t position = 0;
    for (uint64_t n = 1 + random_.next_below(longest); n > 0; --n) {
      const auto& [word, length] =
          all[static_cast<size_t>((from_ + random_.next_below(kinds)) % all.size())];
      text += word;
      if (of_context) context_.emplace_back(word, position);
      position += length;
    }
    return text;
  }

  // A piece of the context with its start, which is off by the context's shift.
  std::string placed() {
    const size_t first = static_cast<size_t>(random_.next_below(context_.size()));
    const size_t last = std::min(context_.size() - 1, first + random_.next_below(3));
    std::string text;
    for (size_t i = first; i <= last; ++i) text += context_[i].first;
    return "{\"text\": \"" + text + "\", \"answer_start\": " +
           std::to_string(std::max<int64_t>(0, context_[first].second + shift_)) + "}";
  }

  std::string text_of(uint64_t kinds) {
    const std::string other = pick({"7", "17", "1.5", "true", "null", "\"\"", "\" \""});
    return random_.next_below(5) == 0 ? other : "\"" + words(3, kinds) + "\"";
  }

  std::string start() {
    const std::string number = std::to_string(random_.next_below(30));
    return pick({number, number, number, number, "-1", "null", "-7", "\"" + number + "\"",
                 number + ".0", "0.5", "99"});
  }

  std::string object(uint64_t kinds) {
    if (random_.next_below(2) == 0) return placed();
    const std::string text = "\"text\": " + text_of(kinds);
    const std::string stated = pick({"\"answer_start\"", "\"answerStart\""}) + ": " + start();
    return "{" + pick({text, text + ", " + stated, stated + " , " + text}) + "}";
  }

  std::string lists(uint64_t kinds) {
    std::string texts, starts;
    for (uint64_t n = random_.next_below(4); n > 0; --n) {
      texts += text_of(kinds) + (n > 1 ? "," : "");
      starts += start() + (n > 1 ? "," : "");
    }
    texts = "\"text\": [" + texts + "]";
    return "{" +
           pick({texts, texts + ", \"answer_start\": [" + starts + "]",
                 "\"answer_start\": null, " + texts}) +
           "}";
  }

  std::string question(uint64_t kinds) {
    std::string answers;
    switch (random_.next_below(5)) {
      case 0: answers = lists(kinds); break;
      case 1: answers = object(kinds); break;
      case 2: answers = text_of(kinds); break;
      case 3: answers = "[" + text_of(kinds) + ", " + text_of(kinds) + "]"; break;
      default:
        for (uint64_t n = random_.next_below(4); n > 0; --n) {
          answers += object(kinds) + (n > 1 ? ", " : "");
        }
        answers = "[" + answers + "]";
    }
    const std::string flag = pick({"", "", "", ", \"is_impossible\": true",
                                   ", \"isImpossible\": \"no\"", ", \"is_impossible\": 1"});
    return R"({"id": )" + pick({"\"a\"", "7", "\"a-2\"", std::to_string(++next_id_)}) +
           R"(, "question": ")" + std::to_string(next_id_) + "\"" + flag +
           ", \"answers\": " + answers + "}";
  }

  CounterStream random_;
  uint64_t next_id_ = 100;
  uint64_t from_ = 0;  // the first of the words of this context
  int64_t shift_ = 0;  // of its placed answers
  std::vector<std::pair<std::string, int64_t>> context_;
};

TEST(PlanRepairs, ASecondRepairChangesNothing) {
  const uint64_t seed = testing::test_seed();
  std::map<std::string, int64_t> kinds, left;
  for (uint64_t round = 0; round < 3000; ++round) {
    const std::string text = FaultyRows(seed + round).make();
    SCOPED_TRACE(fmt::format("seed {}: {}", seed + round, text));
    RepairPlan plan;
    std::string fixed;
    try {
      fixed = fix(text, {}, &plan);
    } catch (const Error& error) {  // there is no usable question
      ASSERT_EQ(error.code(), ErrorCode::kBadData);
      ASSERT_NE(error.reason().find("question"), std::string::npos) << error.what();
      continue;
    }
    for (const Repair& one : plan.repairs) ++kinds[std::string(repair_name(one.kind))];
    for (const LeftOver& one : plan.left) ++left[one.kind];
    RepairPlan again;
    ASSERT_EQ(fix(fixed, {}, &again), fixed);
    ASSERT_TRUE(again.repairs.empty());
    ASSERT_EQ(again.left.size(), plan.left.size()) << fixed;
    for (size_t i = 0; i < plan.left.size(); ++i) {
      ASSERT_EQ(again.left[i].kind + again.left[i].place, plan.left[i].kind + plan.left[i].place);
    }
    // Every answer equals the plan's, or is unchanged.
    const Dataset was = read_dataset_text(text, "was"), now = read_dataset_text(fixed, "now");
    Dataset expected = was;
    apply_repairs(plan, expected);
    ASSERT_EQ(now.examples.size(), was.examples.size());
    for (size_t i = 0; i < now.examples.size(); ++i) {
      ASSERT_EQ(now.examples[i].id, expected.examples[i].id);
      ASSERT_EQ(now.examples[i].answers, expected.examples[i].answers);
      ASSERT_EQ(now.examples[i].is_impossible, was.examples[i].is_impossible);
    }
    ASSERT_EQ(check_dataset(now).repairable, 0);
    ASSERT_EQ(fixed == text, plan.repairs.empty());
  }
  for (const char* kind :
       {"unique_occurrence", "context_shift", "number", "number_text", "duplicate_id", "off_by_one",
        "is_impossible_type", "empty_answer_means_none", "utf16_offset", "byte_offset",
        "whitespace", "normal_form"}) {
    EXPECT_GT(kinds[kind], 0) << kind;
  }
  for (const char* kind :
       {"absent", "repeated", "ambiguous", "unknown_start", "answer_text_type"}) {
    EXPECT_GT(left[kind], 0) << kind;
  }
}

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

// Correct data in which counting is hard: emoji, marks, right to left, line ends, NUL.
class SoundData {
 public:
  explicit SoundData(uint64_t seed) : random_(seed) {}

  Dataset make(size_t rows) {
    Dataset set;
    set.file = "set.json";
    for (size_t i = 0; i < rows; ++i) {
      Example example;
      example.id = fmt::format("q{}", i);
      example.question = fmt::format("{}?", i);
      example.context = set.contexts.size();
      set.contexts.push_back(context(i, example.answers));
      set.examples.push_back(std::move(example));
    }
    return set;
  }

 private:
  // The answers are between pieces of filling. Some occur a second time, far away.
  std::string context(size_t row, std::vector<Answer>& answers) {
    std::string text = pick({"", "", "  ", "\n", "\r\n"});
    for (int i = 0; i < 4; ++i) {
      text += filling();
      const std::string answer = fmt::format("{}{}x{}", pick(kAnswers), row, i);
      answers.push_back({answer, static_cast<int64_t>(count_code_points(text))});
      text += answer;
    }
    text += filling();
    if (pick({"", "again"}) == "again") text += std::string(60, '.') + answers[0].text;
    return text;
  }

  std::string filling() {
    std::string text;
    for (uint64_t n = 1 + random_.next_below(6); n > 0; --n) text += pick(kFillings);
    return text;
  }

  std::string pick(const std::vector<std::string>& list) {
    return list[static_cast<size_t>(random_.next_below(list.size()))];
  }

  inline static const std::vector<std::string> kFillings = {"😀",
                                                            "e\u0301",
                                                            "שלום",
                                                            "\r\n",
                                                            "\n",
                                                            "  ",
                                                            " ",
                                                            "词语",
                                                            std::string("\0", 1),
                                                            "\u200F",
                                                            "👨‍👩‍👧",
                                                            "а́",
                                                            "plain ",
                                                            "\t",
                                                            "한국"};
  inline static const std::vector<std::string> kAnswers = {
      "Ann", "安娜", "cafe\u0301 ", "שלום עולם", "😀😀", "two\r\nlines", "한 국"};
  CounterStream random_;
};

std::string nested(const Dataset& set) {
  const testing::TemporaryDirectory directory;
  save_squad(set, AtomicFile(directory / "set.json"));
  return read_file(directory / "set.json");
}

using Corrupt = std::function<void(Answer&, const std::string&)>;

int64_t count_before(const Answer& answer, const std::string& context,
                     const std::function<int64_t(char32_t, char32_t)>& weight) {
  int64_t sum = 0;
  char32_t previous = 0;
  size_t at = 0;
  for (int64_t i = 0; i < answer.answer_start; ++i) {
    const char32_t c = next_code_point(context, at);
    sum += weight(c, previous);
    previous = c;
  }
  return sum;
}

const std::vector<std::pair<std::string, Corrupt>>& corruptions() {
  static const auto counted = [](auto weight) {
    return
        [weight](Answer& a, const std::string& c) { a.answer_start = count_before(a, c, weight); };
  };
  static const std::vector<std::pair<std::string, Corrupt>> all = {
      {"UTF-16", counted([](char32_t c, char32_t) { return c > 0xFFFF ? 2 : 1; })},
      {"bytes", counted([](char32_t c, char32_t) {
         return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
       })},
      {"returns", counted([](char32_t c, char32_t p) { return p == '\r' && c == '\n' ? 0 : 1; })},
      {"feeds", counted([](char32_t c, char32_t p) { return p != '\r' && c == '\n' ? 2 : 1; })},
      {"one more", [](Answer& a, const std::string&) { ++a.answer_start; }},
      {"one less", [](Answer& a, const std::string&) { --a.answer_start; }},
      {"not found", [](Answer& a, const std::string&) { a.answer_start = -1; }},
      {"past the end", [](Answer& a, const std::string&) { a.answer_start += 1000000; }},
      {"spaces made one",
       [](Answer& a, const std::string&) {
         for (size_t at; (at = a.text.find("\r\n")) != std::string::npos;)
           a.text.replace(at, 2, " ");
       }},
      {"space at the ends",
       [](Answer& a, const std::string&) { a.text = "\u3000" + a.text + "\u2003"; }},
      {"composed",
       [](Answer& a, const std::string&) {
         for (size_t at; (at = a.text.find("e\u0301")) != std::string::npos;)
           a.text.replace(at, 3, "é");
       }},
      {"direction marks lost", [](Answer& a, const std::string&) { a.text += "\u200E"; }},
  };
  return all;
}

TEST(FixedData, IsTheSoundDataThatWasCorrupted) {
  const uint64_t seed = testing::test_seed();
  ASSERT_EQ(corruptions().size(), 12u);
  for (const auto& [name, corrupt] : corruptions()) {
    SCOPED_TRACE(fmt::format("{}, seed {}", name, seed));
    const Dataset sound = SoundData(seed).make(200);
    const std::string sound_text = nested(sound);
    RepairPlan plan;
    EXPECT_EQ(fix(sound_text, {.similar = true}, &plan), sound_text);
    ASSERT_EQ(plan.misaligned, 0);

    Dataset bad = sound;
    for (Example& example : bad.examples) {
      for (Answer& answer : example.answers) corrupt(answer, bad.context_of(example));
    }
    const std::string fixed_text = fix(nested(bad), {}, &plan);
    const Dataset fixed = parse_dataset(fixed_text, "fixed.json");
    int64_t restored = 0, left = 0;
    for (size_t i = 0; i < sound.examples.size(); ++i) {
      for (size_t a = 0; a < sound.examples[i].answers.size(); ++a) {
        const Answer &was = sound.examples[i].answers[a], &broken = bad.examples[i].answers[a],
                     &now = fixed.examples[i].answers[a];
        // The original answer or, if that is not certain, the corrupted one.
        const bool same = now == was;
        EXPECT_TRUE(same || now == broken) << fixed.examples[i].id << " answer " << a;
        restored += same;
        left += !same;
      }
    }
    // Only an answer that occurs twice may be left.
    EXPECT_EQ(left, static_cast<int64_t>(plan.left.size()));
    EXPECT_GE(restored, 650);
    EXPECT_EQ(restored + left, 800);
    EXPECT_LE(left, name == "UTF-16" || name == "bytes" ? 5 : 150);

    // A second repair changes nothing, and the check finds exactly what is left.
    EXPECT_EQ(fix(fixed_text), fixed_text);
    const FileReport report = check_dataset(fixed);
    EXPECT_EQ(report.misaligned, left);
    EXPECT_EQ(report.repairable, 0);
    for (size_t i = 0; i < report.misaligned_answers.size(); ++i) {
      const MisalignedAnswer& item = report.misaligned_answers[i];
      EXPECT_EQ(misalignment_name(item.diagnosis.cause), plan.left[i].kind);
      EXPECT_EQ(place_of_answer(fixed.examples[item.example], static_cast<int64_t>(item.answer)),
                plan.left[i].place);
    }
  }
}

TEST(PlanRepairs, HoldsOnRealData) {
  for (const std::string name : {"cmrc2018/cmrc2018_dev.json", "drcd/DRCD_test.json",
                                 "squad/squad_v2_dev_part.json", "xquad/xquad.en.json"}) {
    const auto file = testing::shared_data(name);
    if (!file) GTEST_SKIP() << testing::kNoSharedData;
    SCOPED_TRACE(name);
    const std::string text = read_file(*file);
    for (const bool similar : {false, true}) {
      RepairPlan plan;
      const std::string fixed = fix(text, {.similar = similar}, &plan);
      EXPECT_EQ(plan.repairs.size() + plan.left.size(), static_cast<size_t>(plan.misaligned));
      const FileReport report = check_dataset(parse_dataset(fixed, "fixed"));
      EXPECT_EQ(report.misaligned, static_cast<int64_t>(plan.left.size()));
      EXPECT_EQ(fix(fixed, {.similar = similar}), fixed);
      EXPECT_EQ(fixed == text, plan.repairs.empty());
    }
  }
}

}  // namespace
}  // namespace spanforge
