#pragma once
// What: The few string operations of Python 3 that published metrics use.
// Source: CPython's str.lower (full case mapping, final sigma), str.split() and str.strip() without
//   arguments, and the word characters of re (\w, \b). Code points that Unicode added after the
//   reference's Python may be classified differently (here: ICU's Unicode).
// Units: UTF-8 in and out; the text must be valid.

#include <string>
#include <string_view>
#include <vector>

namespace spanforge {

bool is_python_space(char32_t c);      // str.isspace of one character
bool is_python_word_char(char32_t c);  // re's \w: str.isalnum or '_'
std::string python_lower(std::string_view text);
std::vector<std::string> python_split(std::string_view text);
std::string_view python_strip(std::string_view text);

}  // namespace spanforge
