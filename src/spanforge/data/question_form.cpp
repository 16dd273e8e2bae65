#include "spanforge/data/question_form.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

struct ChineseForm {
  std::string_view name;
  std::vector<std::string_view> markers;
};

const std::vector<ChineseForm>& chinese_forms() {
  static const std::vector<ChineseForm> forms = {
      {"为什么",
       {"为什么", "為什麼", "爲什麼", "為什么", "为何", "為何", "为啥", "什么原因", "什麼原因",
        "何故"}},
      {"什么时候",
       {"什么时候", "什麼時候", "何时", "何時", "几时", "幾時", "哪年", "哪一年", "哪天", "哪一天",
        "几点", "幾點", "几月", "幾月", "何年", "什么时间", "什麼時間", "多会儿"}},
      {"哪里",
       {"哪里", "哪裡", "哪裏", "哪儿", "哪兒", "何处", "何處", "何地", "什么地方", "什麼地方",
        "在哪"}},
      {"谁", {"谁", "誰", "什么人", "什麼人", "何人", "哪位", "哪个人", "哪個人"}},
      {"多少",
       {"多少", "几", "幾", "多长", "多長", "多高", "多大", "多久", "多远", "多遠", "多重"}},
      {"怎么", {"怎么", "怎麼", "怎样", "怎樣", "如何"}},
      {"哪个", {"哪"}},
      {"什么", {"什么", "什麼", "甚么", "甚麼", "何", "啥"}},
      {"是否", {"是否", "吗", "嗎", "是不是", "有没有", "有沒有"}},
  };
  return forms;
}

bool has_chinese(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if ((c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF)) return true;
  }
  return false;
}

std::vector<std::string> lower_words(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 0x20) : c;
    const bool letter = (lower >= 'a' && lower <= 'z') || static_cast<unsigned char>(c) >= 0x80;
    if (letter) {
      words.back() += lower;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

template <size_t N>
bool is_word_of(const std::string& word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string_view english_form(std::string_view question) {
  constexpr std::array<std::string_view, 3> kWho = {"who", "whom", "whose"};
  constexpr std::array<std::string_view, 5> kPlain = {"what", "when", "where", "why", "which"};
  constexpr std::array<std::string_view, 7> kMeasures = {
      "how long", "how old", "how far", "how often", "how tall", "how high", "how big"};
  constexpr std::array<std::string_view, 18> kAuxiliaries = {
      "is",  "are", "was",   "were", "do",    "does",   "did", "has",  "have",
      "had", "can", "could", "will", "would", "should", "may", "must", "am"};
  const std::vector<std::string> words = lower_words(question);
  for (size_t i = 0; i < words.size(); ++i) {
    if (is_word_of(words[i], kWho)) return "who";
    for (const std::string_view form : kPlain) {
      if (words[i] == form) return form;
    }
    if (words[i] != "how") continue;
    const std::string next = i + 1 < words.size() ? words[i + 1] : "";
    if (next == "many" || next == "much") return "how many";
    const auto measure = std::find(kMeasures.begin(), kMeasures.end(), "how " + next);
    return measure != kMeasures.end() ? *measure : "how";
  }
  return !words.empty() && is_word_of(words.front(), kAuxiliaries) ? "yes/no" : "other";
}

}  // namespace

std::string_view question_form(std::string_view question) {
  if (!has_chinese(question)) return english_form(question);
  for (const ChineseForm& form : chinese_forms()) {
    for (const std::string_view marker : form.markers) {
      if (question.find(marker) != std::string_view::npos) return form.name;
    }
  }
  return "其他";
}

}  // namespace spanforge
