#include "spanforge/metrics/chinese.h"

#include <cstdint>
#include <vector>

#include <unicode/uchar.h>

#include "spanforge/base/utf8.h"

namespace spanforge {
namespace {

constexpr int kLooksAt = 1000;  // code points of a context

bool is_between(char32_t c, char32_t first, char32_t last) { return c >= first && c <= last; }

bool is_han(char32_t c) {
  return is_between(c, 0x3400, 0x4DBF) || is_between(c, 0x4E00, 0x9FFF) ||
         is_between(c, 0xF900, 0xFAFF) || is_between(c, 0x20000, 0x323AF);
}

bool is_kana(char32_t c) {
  return is_between(c, 0x3040, 0x30FF) || is_between(c, 0x31F0, 0x31FF) ||
         is_between(c, 0xFF66, 0xFF9F);
}

}  // namespace

bool is_chinese_text(std::string_view text) {
  int64_t letters = 0, han = 0, kana = 0;
  size_t pos = 0;
  for (int looked = 0; looked < kLooksAt && pos < text.size(); ++looked) {
    const char32_t c = next_code_point(text, pos);
    if (!u_isalpha(static_cast<UChar32>(c))) continue;
    ++letters;
    han += is_han(c);
    kana += is_kana(c);
  }
  return 2 * han > letters && 5 * kana < letters;
}

bool is_chinese(const Dataset& dataset) {
  std::vector<bool> chinese;
  chinese.reserve(dataset.contexts.size());
  for (const std::string& context : dataset.contexts) chinese.push_back(is_chinese_text(context));
  size_t questions = 0;
  for (const Example& example : dataset.examples) questions += chinese[example.context];
  return questions > 0 && 2 * questions >= dataset.examples.size();
}

}  // namespace spanforge
