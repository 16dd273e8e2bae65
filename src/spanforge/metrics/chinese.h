#pragma once
// What: whether data are Chinese, so that training logs the CMRC metric unasked.
// Rule: at least half of the questions stand over a Chinese context. A context is Chinese where,
//   among the letters of its first 1,000 code points, more than half are Chinese characters and
//   fewer than a fifth are kana. So Chinese with a Japanese name in it is Chinese; Japanese is not,
//   however many kanji it has, and neither is a blank context.
// Why contexts: answers are pieces of them, and say little alone: "1984", or a Japanese name in
//   kanji, or nothing where there is no answer.
// Letters: Unicode's (ICU's version), so digits and punctuation do not count. Chinese characters:
//   U+3400-4DBF, 4E00-9FFF, F900-FAFF, 20000-323AF. Cost: about 10 ns a code point looked at.

#include <string_view>

#include "spanforge/data/dataset.h"

namespace spanforge {

bool is_chinese_text(std::string_view text);  // REQUIRES: valid UTF-8
bool is_chinese(const Dataset& dataset);      // false where there are no questions

}  // namespace spanforge
