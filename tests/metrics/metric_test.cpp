// The table of metrics, and the rule by which data are Chinese.
#include "spanforge/metrics/metric.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "spanforge/metrics/chinese.h"
#include "spanforge/metrics/cmrc2018.h"
#include "spanforge/metrics/squad.h"
#include "spanforge/metrics/word_f1.h"
#include "support/testing.h"

namespace spanforge {
namespace {

const std::vector<SquadItem> kItems = {{"1", {"北京大学", "北京"}, "北京大", 0.2, true},
                                       {"2", {}, "", 0.9, true},
                                       {"3", {"a red boat"}, "red boat", 0.4, true},
                                       {"4", {"x"}, "", 0.0, false}};

std::vector<std::string_view> keys_of(const MetricValues& values) {
  std::vector<std::string_view> keys;
  for (const MetricValue& value : values) keys.push_back(value.key);
  return keys;
}

TEST(MetricTable, EachRowReportsTheKeysItNamesInTheirOrder) {
  ASSERT_FALSE(all_metrics().empty());
  for (const Metric* metric : all_metrics()) {
    SCOPED_TRACE(metric->name);
    std::vector<std::string_view> named;
    for (const MetricKey& key : metric->keys) named.push_back(key.name);
    EXPECT_EQ(keys_of(score_items(*metric, kItems)), named);
    // Without questions, or with only one kind of them, a row may skip keys.
    const auto some = keys_of(score_items(*metric, {}));
    EXPECT_TRUE(std::all_of(some.begin(), some.end(), [&](std::string_view key) {
      return std::find(named.begin(), named.end(), key) != named.end();
    }));
  }
}

TEST(MetricTable, NamesAndKeysAreOfOneRowEach) {
  std::set<std::string_view> names, keys;
  for (const Metric* metric : all_metrics()) {
    EXPECT_TRUE(names.insert(metric->name).second) << metric->name;
    for (const MetricKey& key : metric->keys) {
      EXPECT_TRUE(keys.insert(key.name).second) << key.name;
      EXPECT_EQ(metric_of_key(key.name), metric);
      EXPECT_EQ(&key_row(key.name), &key);
    }
  }
  EXPECT_EQ(all_metrics().front(), &kSquadV2);
  EXPECT_EQ(metric_of_key("loss"), nullptr);
  testing::expect_error(ErrorCode::kInternal, [] { key_row("f2"); });
}

TEST(MetricTable, ChoicesAreTheNamesAndAll) {
  std::string names;
  for (const Metric* metric : all_metrics()) names.append(metric->name) += '|';
  EXPECT_EQ(metric_choices(), names + "all");
  EXPECT_TRUE(metric_choices().starts_with("squad_v2|cmrc2018|word_f1|"));
  EXPECT_TRUE(chosen_metrics("squad_v2").empty());
  EXPECT_EQ(chosen_metrics("word_f1"), std::vector<const Metric*>{&kWordF1});
  const auto more = all_metrics().subspan(1);
  EXPECT_EQ(chosen_metrics("all"), std::vector<const Metric*>(more.begin(), more.end()));
}

TEST(MetricTable, CountsStayWholeNumbers) {
  ASSERT_EQ(score_items(kSquadV2, kItems)[2].number, MetricNumber(int64_t{4}));
  for (const Metric* metric : all_metrics()) {
    for (const MetricValue& value : score_items(*metric, kItems)) {
      const bool counts = value.key.ends_with("total") || value.key.ends_with("skipped");
      EXPECT_EQ(std::holds_alternative<int64_t>(value.number), counts) << value.key;
    }
  }
}

TEST(MetricTable, ValuesArePrintedUnderTheirPrintedNames) {
  MetricValues values = score_items(kCmrc2018, kItems);
  values.insert(values.begin(), {"total", int64_t{4}});
  EXPECT_EQ(dump_python_json(metric_values_json(values)),
            "{\"total\": 4, \"cmrc2018_average\": " +
                dump_python_json(Json(*find_number(values, "cmrc_average"))) +
                ", \"cmrc2018_f1\": " + dump_python_json(Json(*find_number(values, "cmrc_f1"))) +
                ", \"cmrc2018_exact\": 25.0, \"cmrc2018_skipped\": 1}");
}

// 北京大 against 北京大学 shares a run of 3: 2 * (1 * 3/4) / (1 + 3/4); "red boat" shares 2 of 3.
TEST(Cmrc2018, ScoresAsWorkedOutByHand) {
  const MetricValues values = score_items(kCmrc2018, kItems);
  EXPECT_DOUBLE_EQ(*find_number(values, "cmrc_f1"), 100.0 * (6.0 / 7 + 1 + 4.0 / 5) / 4);
  EXPECT_DOUBLE_EQ(*find_number(values, "cmrc_exact"), 25.0);
}

TEST(Cmrc2018, AdvisesWhoSelectsByAnF1OfSquads) {
  for (const char* key : {"f1", "HasAns_f1", "best_f1"}) {
    EXPECT_NE(kCmrc2018.advice(key).find("cmrc_f1"), std::string::npos) << key;
  }
  for (const char* key : {"loss", "exact", "NoAns_f1", "cmrc_f1", "word_f1", ""}) {
    EXPECT_EQ(kCmrc2018.advice(key), "") << key;
  }
}

Dataset dataset_over(const std::vector<std::string>& contexts) {
  Dataset dataset;
  dataset.contexts = contexts;
  for (size_t i = 0; i < contexts.size(); ++i) dataset.examples.emplace_back().context = i;
  return dataset;
}

constexpr const char* kChinese = "阿明在2010年用iPhone拍照，地点是公园。";
constexpr const char* kEnglish = "In 2010 Mina took a picture of 北京 in the park.";
constexpr const char* kJapanese =
    "東京都は日本国の首都で、世界最大の都市圏である。";  // 15 kanji, 7 kana

TEST(Chinese, ATextIsWhatMostOfItsLettersAre) {
  struct Case {
    const char* text;
    bool chinese;
  };
  const Case cases[] = {
      {kChinese, true},
      {kEnglish, false},
      {kJapanese, false},
      {"対応表：東京都庁舎建設計画案及び関連資料一覧表のすべて。",
       true},  // nearly no kana: not recognised
      {"宫崎骏的电影《となりのトトロ》于一九八八年四月十六日在日本上映，片长八十六分钟，深受观众喜"
       "爱。",
       true},
      {"서울은 대한민국의 수도이다. 韓國", false},
      {"", false},
      {" 12,345. 。！", false},
      {"中", true},
      {"中a", false},  // not more than half
      {"𠀀𠀁a", true},
  };
  for (const Case& c : cases) EXPECT_EQ(is_chinese_text(c.text), c.chinese) << c.text;
}

TEST(Chinese, ALongTextIsToldByItsBeginning) {
  std::string text;
  for (int i = 0; i < 250; ++i) text += "中文文字";
  EXPECT_TRUE(is_chinese_text(text + std::string(100000, 'a')));
  EXPECT_FALSE(is_chinese_text(std::string(1000, 'a') + text));
}

TEST(Chinese, DataAreWhatHalfTheirQuestionsAre) {
  EXPECT_FALSE(is_chinese(Dataset{}));
  EXPECT_TRUE(is_chinese(dataset_over({kChinese})));
  EXPECT_TRUE(is_chinese(dataset_over({kChinese, kEnglish})));
  EXPECT_FALSE(is_chinese(dataset_over({kChinese, kEnglish, kJapanese})));
  Dataset asked = dataset_over({kChinese, kEnglish, kJapanese});
  asked.examples.emplace_back().context = 0;  // questions count, not contexts
  EXPECT_TRUE(is_chinese(asked));
}

TEST(Chinese, IsWhatTheDataAreKnownFor) {
  const std::pair<const char*, bool> files[] = {{"cmrc2018/cmrc2018_dev.json", true},
                                                {"drcd/DRCD_test.json", true},
                                                {"xquad/xquad.en.json", false},
                                                {"squad/squad_v2_dev_part.json", false}};
  for (const auto& [name, chinese] : files) {
    const auto file = testing::shared_data(name);
    if (!file) GTEST_SKIP() << testing::kNoSharedData;
    EXPECT_EQ(is_chinese(read_dataset(*file)), chinese) << name;
  }
}

}  // namespace
}  // namespace spanforge
