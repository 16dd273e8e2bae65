// Repairs of random faulty rows, of sound data that was corrupted, and of real data.
#include <algorithm>
#include <functional>
#include <map>

#include <fmt/core.h>

#include "data/repairing.h"
#include "spanforge/base/random.h"
#include "spanforge/io/file.h"
#include "support/testing.h"

namespace spanforge {
namespace {

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
