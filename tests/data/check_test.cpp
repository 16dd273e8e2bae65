#include "spanforge/data/check.h"

#include "spanforge/data/normalize.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

Dataset make_dataset(const std::string& name,
                     const std::vector<std::pair<std::string, std::string>>& rows) {
  Dataset dataset;
  dataset.file = name;
  for (const auto& [context, question] : rows) {
    size_t at = 0;
    while (at < dataset.contexts.size() && dataset.contexts[at] != context) ++at;
    if (at == dataset.contexts.size()) dataset.contexts.push_back(context);
    Example example;
    example.id = "q" + std::to_string(dataset.examples.size());
    example.place = "data[" + std::to_string(dataset.examples.size()) + "]";
    example.question = question;
    example.context = at;
    dataset.examples.push_back(example);
  }
  return dataset;
}

struct DiagnosisCase {
  std::string name, context;
  Answer answer;
  Misalignment cause;
  int64_t start;  // of the repair; -1: no place is certain
};

TEST(Diagnose, FindsTheCauseAndTheRightPlace) {
  const std::vector<DiagnosisCase> cases = {
      {"UTF-16 behind an emoji", "😀😀 Ann sings", {"Ann", 5}, Misalignment::kUtf16, 3},
      {"bytes in Chinese", "安娜在唱歌", {"唱歌", 9}, Misalignment::kBytes, 3},
      {"bytes inside a character", "安安", {"安", 2}, Misalignment::kOffByOne, 1},
      {"off by one", "Ann sings well", {"sings", 5}, Misalignment::kOffByOne, 4},
      {"off by minus one", "Ann sings well", {"sings", 3}, Misalignment::kOffByOne, 4},
      {"off by three", "Ann sings well", {"sings", 7}, Misalignment::kShifted, 4},
      {"not found", "xAnn sings", {"Ann", -1}, Misalignment::kElsewhere, 1},
      {"not found, several", "xAnn and Ann", {"Ann", -1}, Misalignment::kRepeated, -1},
      {"one of two, by UTF-16", "😀 a b a", {"a", 3}, Misalignment::kUtf16, 2},
      {"both sides", "a a", {"a", 1}, Misalignment::kAmbiguous, -1},
      {"bytes and UTF-16 differ", "é😀b..b", {"b", 3}, Misalignment::kUtf16, 2},
      {"bytes or off by one", "ééxa..a", {"a", 5}, Misalignment::kAmbiguous, -1},
      {"line feeds as two", "a\nb\nAnn and Ann", {"Ann", 6}, Misalignment::kWhiteSpace, 4},
      {"leading and runs", "  Ann  a  Ann", {"Ann", 6}, Misalignment::kWhiteSpace, 10},
      {"composed", "cafe\u0301 au lait", {"café", 0}, Misalignment::kNormalForm, 0},
      {"decomposed", "un café", {"cafe\u0301", 3}, Misalignment::kNormalForm, 3},
      {"half of a character", "é", {"e\u0301\u0301", 0}, Misalignment::kAbsent, -1},
      {"Hangul", "한국 서울", {"\u1109\u1165\u110B\u116E\u11AF", 3}, Misalignment::kNormalForm, 3},
      {"zero width space", "Ann\u200B sings", {"Ann sings", 0}, Misalignment::kInvisible, 0},
      {"marks of direction",
       "שלום \u200Fעולם\u200F!",
       {"שלום עולם!", 0},
       Misalignment::kInvisible,
       0},
      {"right to left", "שלום עולם", {"עולם", 6}, Misalignment::kOffByOne, 5},
      {"space dropped, twice", "a  b, a  b", {"a b", 3}, Misalignment::kRepeated, -1},
      {"space dropped, the stated one", "a  b, a  b", {"a b", 6}, Misalignment::kWhiteSpace, 6},
      {"space added at the ends", "Ann sings", {" Ann ", 0}, Misalignment::kWhiteSpace, 0},
      {"nothing but space", "Ann sings", {"  ", 0}, Misalignment::kAbsent, -1},
      {"leading space stripped", "   Ann sings", {"sings", 4}, Misalignment::kWhiteSpace, 7},
      {"line ends made one", "a\r\nb\r\nAnn", {"Ann", 4}, Misalignment::kWhiteSpace, 6},
      {"runs made one", "Ann  sings   well", {"well", 10}, Misalignment::kWhiteSpace, 13},
      {"space dropped inside", "Ann  sings well", {"Ann sings", 0}, Misalignment::kWhiteSpace, 0},
      {"once, elsewhere", "Ann sings and Bo reads", {"Bo", 0}, Misalignment::kElsewhere, 14},
      {"several, elsewhere", "..................a......a", {"a", 2}, Misalignment::kRepeated, -1},
      {"absent", "Ann sings", {"Bo", 0}, Misalignment::kAbsent, -1},
      {"past the end", "Ann sings", {"Ann", 4000}, Misalignment::kElsewhere, 0},
      {"far below zero", "Ann sings", {"Ann", INT64_MIN / 2}, Misalignment::kElsewhere, 0},
      {"another case", "Ann sings", {"ann", 0}, Misalignment::kAbsent, -1},
  };
  for (const DiagnosisCase& item : cases) {
    SCOPED_TRACE(item.name);
    ASSERT_FALSE(is_aligned(item.answer, item.context));
    const Answer* const only = &item.answer;
    const Diagnosis diagnosis =
        diagnose({&only, 1}, item.context, CodePointIndex(item.context)).front();
    EXPECT_EQ(misalignment_name(diagnosis.cause), misalignment_name(item.cause));
    EXPECT_EQ(diagnosis.repair ? diagnosis.repair->answer_start : -1, item.start);
    EXPECT_FALSE(describe(diagnosis, item.answer).empty());
    if (!diagnosis.repair) continue;
    EXPECT_TRUE(is_aligned(*diagnosis.repair, item.context));
    const bool same = diagnosis.repair->text == item.answer.text;
    EXPECT_EQ(same, diagnosis.occurrences > 0);
  }
}

TEST(CheckDataset, FindsUnsoundFindingsAndRemarks) {
  Dataset dataset = make_dataset("set.json", {{"Ann sings.\r\n", "Who?"},
                                              {"Ann sings.\r\n", " \t"},
                                              {"\xE3\x80\x80", "Who?"},
                                              {"Bo\x01", "Who?"},
                                              {"Ann sings.\r\n", "Who?"}});
  dataset.examples[0].answers = {{"Ann", 0}, {"sings", 5}};
  dataset.examples[1].answers = {{"", 0}, {" ", 3}};
  dataset.examples[3].answers = {{"Bo", 0}};
  dataset.examples[3].is_impossible = true;
  dataset.examples[4].answers = {{"sings.\r", 4}};
  const FileReport report = check_dataset(dataset);
  EXPECT_EQ(report.questions, 5);
  EXPECT_EQ(report.contexts, 3);
  EXPECT_EQ(report.answers, 6);
  EXPECT_EQ(report.misaligned, 1);
  EXPECT_EQ(report.misaligned_first, 0);
  EXPECT_EQ(report.without_answer, 1);
  const auto kinds = [](const std::vector<Finding>& findings) {
    std::vector<std::pair<size_t, std::string>> out;
    for (const Finding& f : findings) out.emplace_back(f.example, finding_name(f.kind));
    return out;
  };
  using Kinds = std::vector<std::pair<size_t, std::string>>;
  EXPECT_EQ(kinds(report.unsound), (Kinds{{1, "empty_question"},
                                          {1, "empty_answer"},
                                          {1, "empty_answer"},
                                          {2, "empty_context"},
                                          {3, "impossible_with_answers"}}));
  EXPECT_EQ(kinds(report.remarks), (Kinds{{0, "carriage_return"},
                                          {3, "control_character"},
                                          {4, "conflicting_answer"},
                                          {4, "answer_edge_space"}}));
}

// Each fault alone: the report gives its name and place, and the verdict reports it.
struct FaultCase {
  std::string name, row;  // row: the members after the id
  std::string kind, place;
  std::string reason;
};

TEST(CheckDataset, ReportsEachFaultAlone) {
  const std::string context = R"("context": "Ann sings", "question": "q")";
  const auto answer = [&](const std::string& inside) {
    return context + R"(, "answers": [{"text": "sings", "answer_start": )" + inside + "}]";
  };
  const std::vector<FaultCase> cases = {
      {"string", answer("\"4\""), "answer_start_type", "[1].answers[0]", "not a string"},
      {"float", answer("4.0"), "answer_start_type", "[1].answers[0]", "not 4.0"},
      {"null", answer("null"), "unknown_start", "[1].answers[0]", "answer_start is not known"},
      {"minus one", answer("-1"), "unknown_start", "[1].answers[0]", "answer_start is not known"},
      {"missing", context + R"(, "answers": [{"text": "sings"}])", "unknown_start",
       "[1].answers[0]", "the answer occurs once, at 4"},
      {"huge", answer("18446744073709551615"), "answer_start_type", "[1].answers[0]", "not 1844"},
      {"off by one", answer("5"), "off_by_one", "[1].answers[0]", "off by +1"},
      {"negative", answer("-7"), "elsewhere", "[1].answers[0]", "is negative"},
      {"past the end", answer("9"), "shifted", "[1].answers[0]",
       "past the end of the context of 9"},
      {"empty answer", context + R"(, "answers": [{"text": "", "answer_start": 0}])",
       "empty_answer", "[1]", "answers[0] is empty"},
      {"impossible", answer("4") + R"(, "is_impossible": true)", "impossible_with_answers", "[1]",
       "is_impossible is true"},
      {"nothing", answer("4"), "", "", ""},
      {"no answers", context, "bad_row", "[1]", "answers is missing"},
      {"no question", R"("context": "Ann sings", "answers": [])", "bad_row", "[1]",
       "question is missing"},
      {"empty question", R"("context": "Ann sings", "question": "\t", "answers": [])",
       "empty_question", "[1]", "the question is empty"},
      {"empty context", R"("context": "", "question": "q", "answers": [])", "empty_context", "[1]",
       "the context is empty"},
      {"an answer without text", context + R"(, "answers": {"start": 5})", "bad_row", "[1].answers",
       "text is missing"},
      {"a number for a text", context + R"(, "answers": [{"text": 9, "answer_start": 9}])",
       "answer_text_type", "[1].answers[0]", "not the number 9"},
  };
  for (const FaultCase& item : cases) {
    SCOPED_TRACE(item.name);
    const Dataset set = read_dataset_text(
        R"([{"id": "sound", "context": "Bo reads", "question": "Who?", "answers": []}, {"id": "b", )" +
            item.row + "}]",
        "set.json");
    const CheckReport report = check_datasets({&set});
    const auto verdict = check_verdict(report, {&set});
    ASSERT_EQ(verdict.has_value(), !item.kind.empty());
    const Json file = check_to_json(report, {&set})["files"][0];
    EXPECT_EQ(file["usable"], item.kind.empty() ? 2 : 1);
    if (item.kind.empty()) continue;
    EXPECT_NE(std::string(verdict->what()).find(item.reason), std::string::npos) << verdict->what();
    const bool misaligned = file["unsound"].empty();
    const Json& found = misaligned ? file["misaligned_answers"] : file["unsound"];
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0][misaligned ? "cause" : "kind"], item.kind);
    EXPECT_EQ(found[0]["place"], item.place);
    EXPECT_EQ(found[0]["id"], "b");
    EXPECT_EQ(file[misaligned ? "causes" : "unsound_kinds"], (Json{{item.kind, 1}}));
    EXPECT_NE(check_to_text(report, {&set}).find(item.kind), std::string::npos);
  }
}

TEST(SurveyDataset, GoesOnAfterFaultyRows) {
  const Dataset set = read_dataset_text(R"({"data": [
    {"title": "t", "paragraphs": [
      {"context": "Ann sings", "qas": [
        {"id": "a", "question": "q", "answers": []},
        {"id": "b", "question": "q", "answers": [{"text": "Ann", "answer_start": "x"}, {"text": {}}]},
        {"id": "a", "question": "r", "answers": []}]},
      {"qas": [{"id": "c", "question": "q", "answers": [{"text": "Ann", "answer_start": 0.5}]},
               {"id": "d", "question": "q", "answers": ["Ann"]}]},
      {"context": "Bo reads", "qas": [{"id": "c", "question": "q", "answers": ["reads"]}]}]},
    {"title": 7, "paragraphs": [{"context": "Bo", "qas": [{"id": "e", "question": "q", "answers": []}]}]},
    {"title": "u", "paragraphs": [{"context": "Bo", "qas": [{"id": "f", "question": "q", "answers": []}]}]}
  ]})",
                                        "set.json");
  std::vector<std::string> ids, faults;
  for (const Example& example : set.examples) ids.push_back(example.id + " " + example.title);
  EXPECT_EQ(ids, (std::vector<std::string>{"a t", "a t", "c t", "e 7", "f u"}));
  for (const RowFault& fault : set.faults)
    faults.push_back(std::string(fault_name(fault.kind)) + " " + fault.place);
  EXPECT_EQ(faults, (std::vector<std::string>{"bad_row data[0].paragraphs[0].qas[1].answers[1]",
                                              "duplicate_id data[0].paragraphs[0].qas[2]",
                                              "bad_row data[0].paragraphs[1]"}));
  EXPECT_EQ(set.context_of(set.examples[2]), "Bo reads");
  EXPECT_EQ(set.examples[2].answers, (std::vector<Answer>{{"reads", 3}}));

  const std::string line = R"({"id": "a", "context": "c", "question": "q", "answers": []})";
  const Dataset lines = read_dataset_text(line + "\n{\"id\": }\n" + line + "\n5\n", "set.jsonl");
  ASSERT_EQ(lines.faults.size(), 3u);
  EXPECT_EQ(fault_name(lines.faults[0].kind), "bad_row");
  EXPECT_EQ(lines.faults[0].place, "line 2: id");
  EXPECT_EQ(fault_name(lines.faults[1].kind), "duplicate_id");
  EXPECT_EQ(lines.faults[2].place, "line 4");
  const Error none = testing::expect_error(
      ErrorCode::kBadData, [] { read_dataset_text(R"([{"id": "a"}])", "set.json"); });
  EXPECT_EQ(none.place().text(), "set.json: [0]");
  EXPECT_NE(none.reason().find("no usable question"), std::string::npos) << none.what();
  testing::expect_error(ErrorCode::kBadData, [] { read_dataset_text("[{]", "set.json"); });
}

TEST(FindOverlap, CountsDistinctValuesExactlyAndNormalised) {
  const Dataset train = make_dataset(
      "train.json", {{"One.", "Who?"}, {"One.", "Who?"}, {"Two.", "Why?"}, {"Three", "When?"}});
  const Dataset other = make_dataset("other.json", {{"One.", "Who?"},
                                                    {"One.", "Who?"},
                                                    {"Two.", "Who?"},
                                                    {"three!", "WHEN ?"},
                                                    {"Four", "What?"}});
  const Overlap overlap = find_overlap(train, other);
  EXPECT_EQ(overlap.exact, (SharedCounts{2, 1, 1}));
  EXPECT_EQ(overlap.normalized, (SharedCounts{3, 2, 2}));
  EXPECT_EQ(overlap.ids, 4);
  EXPECT_EQ(overlap.second_pairs_seen, 2);
  EXPECT_EQ(overlap.second_questions_seen, 3);
  EXPECT_EQ(overlap.second_questions, 5);
  EXPECT_EQ(
      overlap_line(overlap, "a", "b"),
      "overlap: a and b share 2 contexts, 1 questions and 1 question+context pairs (3, 2 and 2 "
      "when case, punctuation and white space are ignored); 2 of the 5 questions of b are also in "
      "a "
      "with the same context");
  const Overlap none = find_overlap(train, make_dataset("x", {{"Nine", "How?"}}));
  EXPECT_FALSE(none.any());
  EXPECT_EQ(overlap_line(none, "a", "b"), "");
}

TEST(NormalizeForOverlap, IgnoresCaseWidthPunctuationAndSpace) {
  EXPECT_EQ(normalize_for_overlap("Ｗｈｏ is it, 谁？\n É"), "whoisit谁é");
  EXPECT_EQ(normalize_for_overlap(" ，。… "), "");
  EXPECT_EQ(trim_white_space("\xC2\xA0 a b\xE3\x80\x80\n"), "a b");
  EXPECT_EQ(trim_white_space(" \n"), "");
}

TEST(CheckVerdict, NamesFileAndFirstReason) {
  Dataset sound = make_dataset("a.json", {{"Ann sings", "Who?"}});
  sound.examples[0].answers = {{"Ann", 0}};
  Dataset other = make_dataset("b.json", {{"Bo reads", "Why?"}});
  EXPECT_EQ(check_verdict(check_datasets({&sound, &other}), {&sound, &other}), std::nullopt);

  Dataset misaligned = sound;
  misaligned.examples[0].answers[0].answer_start = 1;
  const auto wrong = check_verdict(check_datasets({&misaligned}), {&misaligned});
  ASSERT_TRUE(wrong.has_value());
  EXPECT_EQ(wrong->code(), ErrorCode::kBadData);
  EXPECT_EQ(wrong->file(), "a.json");
  EXPECT_NE(wrong->reason().find("1 of 1 answers"), std::string::npos) << wrong->reason();

  Dataset unsound = other;
  unsound.examples[0].question = "";
  const auto empty = check_verdict(check_datasets({&sound, &unsound}), {&sound, &unsound});
  ASSERT_TRUE(empty.has_value());
  EXPECT_EQ(empty->place().text(), "b.json: data[0] (id q0)");

  Dataset shared = make_dataset("c.json", {{"Bo reads", "Who?"}});
  const auto overlap = check_verdict(check_datasets({&sound, &shared}), {&sound, &shared});
  ASSERT_TRUE(overlap.has_value());
  EXPECT_NE(overlap->reason().find("0 contexts, 1 questions and 0"), std::string::npos);
  Dataset near = make_dataset("d.json", {{"Bo reads", "who"}});
  EXPECT_EQ(check_verdict(check_datasets({&sound, &near}), {&sound, &near}), std::nullopt);
}

TEST(CheckReport, WritesJsonAndText) {
  Dataset a = make_dataset("a.json", {{"😀 Ann", "Who?"}});
  a.examples[0].answers = {{"Ann", 3}};
  const Dataset b = make_dataset("b.json", {{"Bo", "Why?"}});
  const CheckReport report = check_datasets({&a, &b});
  const Json json = check_to_json(report, {&a, &b});
  EXPECT_EQ(json["files"][0]["misaligned"], 1);
  EXPECT_EQ(json["files"][0]["causes"]["utf16"], 1);
  EXPECT_EQ(json["files"][0]["misaligned_answers"][0]["correct_start"], 2);
  EXPECT_EQ(json["files"][0]["misaligned_answers"][0]["place"], "data[0].answers[0]");
  EXPECT_EQ(json["files"][1]["without_answer"], 1);
  EXPECT_EQ(json["overlap"]["contexts"], 0);
  EXPECT_EQ(json["overlap"]["normalized_pairs"], 0);
  EXPECT_FALSE(check_to_json(check_datasets({&a}), {&a}).contains("overlap"));
  EXPECT_EQ(check_to_json(check_datasets({&a, &b, &a}), {&a, &b, &a})["overlaps"].size(), 3u);
  const std::string text = check_to_text(report, {&a, &b});
  EXPECT_NE(text.find("misaligned: 1 utf16"), std::string::npos) << text;
  EXPECT_NE(text.find("a.json and b.json share no context"), std::string::npos) << text;
}

TEST(CheckDataset, FindsKnownFaultsOfSharedData) {
  const auto cmrc = testing::shared_data("cmrc2018/cmrc2018_dev.json");
  const auto seed = testing::shared_data("seed/data.json");
  const auto validation = testing::shared_data("seed/data_validation.json");
  if (!cmrc || !seed || !validation) GTEST_SKIP() << testing::kNoSharedData;
  const FileReport report = check_dataset(load_dataset(*cmrc));
  EXPECT_EQ(report.questions, 3219);
  EXPECT_EQ(report.answers, 9657);
  EXPECT_EQ(report.misaligned, 200);
  const Dataset a = load_dataset(*seed), b = load_dataset(*validation);
  const Overlap overlap = find_overlap(a, b);
  EXPECT_EQ(check_dataset(a).misaligned, 0);
  EXPECT_EQ(a.examples.size() + b.examples.size(), 120u);
  EXPECT_EQ(overlap.second_pairs_seen, 30);
}

TEST(SampleData, IsSoundAndSharesNothing) {
  const auto sample = testing::source_directory() / "data" / "sample";
  const Dataset train = load_dataset(sample / "train.json");
  const Dataset validation = load_dataset(sample / "validation.json");
  const Dataset hand = load_dataset(sample / "hand_written.json");
  const std::vector<const Dataset*> all = {&train, &validation, &hand};
  const CheckReport report = check_datasets(all);
  const auto verdict = check_verdict(report, all);
  EXPECT_FALSE(verdict.has_value()) << verdict->what();
  for (const auto& pair : report.overlaps) EXPECT_FALSE(pair.overlap.any());
  EXPECT_GE(hand.examples.size(), 60u);
  EXPECT_GE(train.examples.size(), 3000u);
}

}  // namespace
}  // namespace spanforge
