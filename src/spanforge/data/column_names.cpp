#include "spanforge/data/column_names.h"

#include <algorithm>
#include <span>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/utf8.h"
#include "spanforge/data/keys.h"
#include "spanforge/data/normalize.h"

namespace spanforge {
namespace {

constexpr std::array<std::string_view, kParts> kPartNames = {
    "id", "title", "question", "context", "answer", "answer_start", "is_impossible"};

// Names in addition to those of keys.h, as plain() returns them.
constexpr std::array<std::string_view, 10> kIds = {
    "编号", "編號", "序号", "序號", "问题编号", "问题id", "题号", "uuid", "exampleid", "rowid"};
constexpr std::array<std::string_view, 4> kTitles = {"title", "标题", "標題", "题目"};
constexpr std::array<std::string_view, 12> kQuestions = {"问题", "問題",  "提问",     "提問",
                                                         "问句", "疑问",  "質問",     "questions",
                                                         "q",    "frage", "pregunta", "질문"};
constexpr std::array<std::string_view, 24> kContexts = {
    "上下文", "正文",     "文章",     "原文",    "段落", "语境",    "語境",         "材料",
    "篇章",   "文档",     "文檔",     "文本",    "内容", "內容",    "コンテキスト", "本文",
    "지문",   "contexts", "passages", "article", "body", "content", "documenttext", "text"};
constexpr std::array<std::string_view, 18> kAnswerNames = {
    "answerstext", "answers0text", "answertexts", "goldanswer", "goldanswers", "答案",
    "回答",        "答复",         "答案文本",    "答案内容",   "回答文本",    "答え",
    "정답",        "antwort",      "respuesta",   "a",          "label",       "text"};
constexpr std::array<std::string_view, 15> kStarts = {"answersanswerstart",
                                                      "answers0answerstart",
                                                      "answersstart",
                                                      "answerstarts",
                                                      "起始位置",
                                                      "开始位置",
                                                      "開始位置",
                                                      "答案起始位置",
                                                      "答案开始位置",
                                                      "答案起始",
                                                      "答案位置",
                                                      "起始",
                                                      "开始",
                                                      "起点",
                                                      "offset"};
constexpr std::array<std::string_view, 6> kImpossibles = {
    "不可回答", "无法回答", "無法回答", "无答案", "isunanswerable", "notanswerable"};

// In lower case, without ASCII white space and punctuation; "" if the text is not UTF-8.
std::string plain(std::string_view name) {
  std::string out;
  if (find_invalid_utf8(name)) return {};
  for (const char c : trim_white_space(name)) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool kept = (c & 0x80) != 0 || upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (kept) out += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::vector<std::string> make_known_names(Part part) {
  std::vector<std::string> names;
  const auto add = [&](const auto& list) {
    for (const std::string_view name : list) names.push_back(plain(name));
  };
  switch (part) {
    case Part::kId:
      add(keys::kId);
      add(kIds);
      break;
    case Part::kTitle: add(kTitles); break;
    case Part::kQuestion:
      add(keys::kQuestion);
      add(kQuestions);
      break;
    case Part::kContext:
      add(keys::kContext);
      add(kContexts);
      break;
    case Part::kAnswer:
      add(keys::kAnswers);
      names.push_back("answertext");
      add(kAnswerNames);
      break;
    case Part::kStart:
      add(keys::kStart);
      add(kStarts);
      break;
    case Part::kImpossible:
      add(keys::kImpossible);
      add(kImpossibles);
      break;
  }
  return names;
}

// The known names of a part, the most specific first.
const std::vector<std::string>& known_names(Part part) {
  static const auto names = [] {
    std::array<std::vector<std::string>, kParts> made;
    for (size_t i = 0; i < kParts; ++i) made[i] = make_known_names(static_cast<Part>(i));
    return made;
  }();
  return names[static_cast<size_t>(part)];
}

std::optional<size_t> position(std::span<const std::string_view> names, std::string_view wanted) {
  const auto at = std::ranges::find(names, wanted);
  return at == names.end() ? std::nullopt : std::optional<size_t>(at - names.begin());
}

}  // namespace

std::string_view part_name(Part part) { return kPartNames[static_cast<size_t>(part)]; }

PartColumns find_parts_leniently(const std::vector<std::string>& names,
                                 const std::vector<std::pair<std::string, std::string>>& given) {
  PartColumns parts;
  std::vector<bool> taken(names.size(), false);
  for (const auto& [ours, theirs] : given) {
    const std::optional<size_t> part = position(kPartNames, ours);
    if (!part) continue;
    const std::string_view wanted = trim_white_space(theirs);
    const auto same = [&](const std::string& name) { return trim_white_space(name) == wanted; };
    const auto at = std::ranges::find_if(names, same);
    if (at == names.end()) continue;
    parts[*part] = static_cast<size_t>(at - names.begin());
    taken[*parts[*part]] = true;
  }
  std::vector<std::string> plain_names;
  for (const std::string& name : names) plain_names.push_back(plain(name));
  for (size_t part = 0; part < kParts; ++part) {
    const auto is_given = [&](const auto& column) { return column.first == kPartNames[part]; };
    if (parts[part] || std::ranges::any_of(given, is_given)) continue;
    for (const std::string& known : known_names(static_cast<Part>(part))) {
      for (size_t i = 0; i < names.size() && !parts[part]; ++i) {
        if (!taken[i] && !plain_names[i].empty() && plain_names[i] == known) parts[part] = i;
      }
      if (!parts[part]) continue;
      taken[*parts[part]] = true;
      break;
    }
  }
  return parts;
}

PartColumns find_parts(const std::vector<std::string>& names,
                       const std::vector<std::pair<std::string, std::string>>& given,
                       std::string_view file) {
  for (const auto& [ours, theirs] : given) {
    const std::string_view wanted = trim_white_space(theirs);
    const auto same = [&](const std::string& name) { return trim_white_space(name) == wanted; };
    if (std::ranges::any_of(names, same)) continue;
    throw Error(ErrorCode::kUsage, {.parameter = "columns"},
                fmt::format("{} has no column \"{}\"; it has: {}", quote_for_message(file, 4096),
                            quote_for_message(theirs), list_names(names)));
  }
  return find_parts_leniently(names, given);
}

bool is_name_of(Part part, std::string_view name) {
  return std::ranges::count(known_names(part), plain(name)) > 0;
}

std::vector<std::pair<std::string, std::string>> parse_columns(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> columns;
  const auto fail = [](const std::string& reason) {
    throw Error(ErrorCode::kUsage, {.parameter = "columns"},
                reason + "; for example question=q,context=text,answer=a");
  };
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view pair = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) {
      fail(fmt::format("\"{}\" has no \"=\"", quote_for_message(pair)));
    }
    std::string ours(trim_white_space(pair.substr(0, equals)));
    const std::string theirs(trim_white_space(pair.substr(equals + 1)));
    if (ours == "answers") ours = "answer";
    if (!position(kPartNames, ours)) {
      fail(fmt::format(
          "\"{}\" is not one of id, title, question, context, answer, answer_start, is_impossible",
          quote_for_message(ours)));
    }
    if (theirs.empty()) fail(fmt::format("{} has no name", ours));
    for (const auto& [other, name] : columns) {
      if (other == ours) fail(fmt::format("{} is given twice", ours));
    }
    columns.emplace_back(ours, theirs);
  }
  return columns;
}

std::string list_names(const std::vector<std::string>& names) {
  constexpr size_t kShown = 20;
  std::string out;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) {
    out += fmt::format("{}{}", i == 0 ? "" : ", ",
                       names[i].empty() ? "(no name)" : quote_for_message(names[i], 40));
  }
  if (names.size() > kShown) out += fmt::format(" and {} more", names.size() - kShown);
  return out;
}

std::string describe_parts(const PartColumns& parts, const std::vector<std::string>& names) {
  std::string out;
  std::vector<std::string> unused;
  // In the order of interest: question, context and answer first.
  constexpr std::array kOrder = {Part::kQuestion,   Part::kContext, Part::kAnswer, Part::kStart,
                                 Part::kImpossible, Part::kId,      Part::kTitle};
  for (const Part part : kOrder) {
    if (const auto at = parts[static_cast<size_t>(part)]) {
      out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", part_name(part),
                         quote_for_message(names[*at], 40));
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::ranges::find(parts, std::optional<size_t>(i)) == parts.end())
      unused.push_back(names[i]);
  }
  if (!unused.empty()) out += fmt::format("; not used: {}", list_names(unused));
  return out;
}

}  // namespace spanforge
