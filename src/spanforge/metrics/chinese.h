#pragma once
// What: Decides whether data are Chinese; training then also logs the CMRC metric.
// Rule: At least half of the questions have a Chinese context. A context is Chinese if, among the
//   letters of its first 1,000 code points, more than half are Chinese characters and fewer than a
//   fifth are kana. So Chinese text with a Japanese name in it is Chinese. Japanese text is not,
//   even with many kanji, and a blank context is not.
// Why contexts: answers are short parts of them and give little evidence: "1984", a Japanese name
//   in kanji, or nothing if there is no answer.
// Letters: Unicode's (ICU's version), so digits and punctuation do not count. Chinese characters:
//   U+3400-4DBF, 4E00-9FFF, F900-FAFF, 20000-323AF. Cost: about 10 ns per code point read.

#include <string_view>

#include "spanforge/data/dataset.h"

namespace spanforge {

bool is_chinese_text(std::string_view text);  // REQUIRES: valid UTF-8
bool is_chinese(const Dataset& dataset);      // false if there are no questions

}  // namespace spanforge
