// Reads vocabulary files, with or without a tokenizer.json, line by line as transformers'
// tokenizers do.

#include <algorithm>
#include <utility>

#include <fmt/core.h>

#include "spanforge/base/error.h"
#include "spanforge/base/foreign_content.h"
#include "spanforge/base/text_index.h"
#include "spanforge/base/utf8.h"
#include "spanforge/text/bpe.h"
#include "spanforge/text/tokenizer_kind.h"
#include "spanforge/text/unicode.h"

namespace spanforge {
namespace {

void refuse_other_than_text(std::string_view text, const std::string& place, const char* what) {
  refuse_foreign_content(text, place, ErrorCode::kBadModel);
  const auto bad = find_invalid_utf8(text);
  if (!bad) return;
  const auto line =
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*bad), '\n');
  throw Error(ErrorCode::kBadModel, {.file = place, .where = fmt::format("line {}", line + 1)},
              fmt::format("invalid UTF-8; {}", what));
}

// Splits lines like Python's universal newlines: at \n, \r\n or \r.
std::vector<std::string> split_lines(std::string_view text) {
  std::vector<std::string> lines;
  size_t start = 0;
  while (start < text.size()) {
    const size_t end = std::min(text.find_first_of("\r\n", start), text.size());
    lines.emplace_back(text.substr(start, end - start));
    start = end + (text.substr(end, 2) == "\r\n" ? 2 : 1);
  }
  return lines;
}

void check_vocab_txt(const std::vector<std::string>& lines, const Vocabulary& vocabulary,
                     const std::string& place) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto id = vocabulary.find(lines[i]);
    const bool same = id && (*id == static_cast<int32_t>(i) ||
                             // if a line is repeated, the last one counts
                             (*id > static_cast<int32_t>(i) &&
                              static_cast<size_t>(*id) < lines.size() && lines[*id] == lines[i]));
    if (!same) {
      throw Error(ErrorCode::kBadModel, {.file = place, .where = fmt::format("line {}", i + 1)},
                  fmt::format("\"{}\" disagrees with tokenizer.json, where id {} is \"{}\"; remove "
                              "the file that is wrong",
                              quote_for_message(lines[i]), i,
                              quote_for_message(vocabulary.token(static_cast<int32_t>(i)))));
    }
  }
}

void check_vocab_json(std::string_view text, const Vocabulary& vocabulary,
                      const std::string& place) {
  const Json json = parse_json(text, place, ErrorCode::kBadModel);
  const Vocabulary other = build_vocabulary({json, place});
  for (int32_t id = 0; id < other.id_limit(); ++id) {
    if (!other.has_id(id) || (vocabulary.has_id(id) && other.token(id) == vocabulary.token(id)))
      continue;
    throw Error(
        ErrorCode::kBadModel, place,
        fmt::format("\"{}\" disagrees with tokenizer.json, where id {} is \"{}\"; remove the "
                    "file that is wrong",
                    quote_for_message(other.token(id)), id,
                    quote_for_message(vocabulary.token(id))));
  }
}

void check_merges_txt(std::string_view text, const Bpe& model, const std::string& place) {
  const auto merges = read_merges_txt(text, place);
  const auto others = model.merges();
  for (size_t i = 0; i < std::max(merges.size(), others.size()); ++i) {
    if (i < std::min(merges.size(), others.size()) && merges[i] == others[i]) continue;
    throw Error(ErrorCode::kBadModel, place,
                fmt::format("merge {} disagrees with tokenizer.json; remove the file that is wrong",
                            i + 1));
  }
}

// White space for Python's str.split().
bool is_python_space(char32_t c) {
  return unicode::has(c, unicode::kWhitespace) || (c >= 0x1C && c <= 0x1F);
}

std::vector<std::string_view> split_words(std::string_view line) {
  std::vector<std::string_view> words;
  size_t begin = 0;
  for (size_t at = 0; at < line.size();) {
    const size_t here = at;
    if (!is_python_space(next_code_point(line, at))) continue;
    if (here > begin) words.push_back(line.substr(begin, here - begin));
    begin = at;
  }
  if (begin < line.size()) words.push_back(line.substr(begin));
  return words;
}

}  // namespace

std::vector<std::string> read_vocab_txt(std::string_view text, const std::string& place) {
  refuse_other_than_text(text, place, "a vocabulary is a UTF-8 text file with one token per line");
  return split_lines(text);
}

std::vector<std::pair<std::string, std::string>> read_merges_txt(std::string_view text,
                                                                 const std::string& place) {
  refuse_other_than_text(text, place, "merges are a UTF-8 text file with two tokens per line");
  std::vector<std::string> lines = split_lines(text);
  // The text after the last line end is the last piece, even if it is empty.
  if (!text.ends_with('\n') && !text.ends_with('\r') && !lines.empty()) lines.pop_back();
  std::vector<std::pair<std::string, std::string>> merges;
  TextIndex seen;  // of "left right"
  std::vector<std::string> keys;
  for (size_t i = 1; i < lines.size(); ++i) {
    const auto words = split_words(lines[i]);
    if (words.size() != 2) {
      throw Error(ErrorCode::kBadModel, {.file = place, .where = fmt::format("line {}", i + 1)},
                  fmt::format("a merge is two tokens, not \"{}\"", quote_for_message(lines[i])));
    }
    // If merges are equal, the first counts.
    keys.push_back(fmt::format("{} {}", words[0], words[1]));
    if (!seen.insert(keys.back(), keys.size() - 1, texts_in(keys)).is_new) {
      keys.pop_back();
      continue;
    }
    merges.emplace_back(words[0], words[1]);
  }
  return merges;
}

void check_vocabulary_files(const FileTexts& texts, const TokenModel& model,
                            const std::filesystem::path& directory) {
  const auto place = [&](const char* name) { return (directory / name).string(); };
  if (const auto file = texts.find(kVocabTxtFile); file != texts.end()) {
    const std::string where = place(kVocabTxtFile);
    check_vocab_txt(read_vocab_txt(file->second, where), model.vocabulary(), where);
  }
  if (const auto file = texts.find(kVocabJsonFile); file != texts.end()) {
    check_vocab_json(file->second, model.vocabulary(), place(kVocabJsonFile));
  }
  const auto* bpe = dynamic_cast<const Bpe*>(&model);
  if (const auto file = texts.find(kMergesTxtFile); file != texts.end() && bpe != nullptr) {
    check_merges_txt(file->second, *bpe, place(kMergesTxtFile));
  }
}

}  // namespace spanforge
