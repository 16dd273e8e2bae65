#pragma once
// Rough equality of texts, for finding what two files share although it is not written the same.

#include <string>
#include <string_view>

namespace spanforge {

// White space as Unicode's White_Space has it.
bool is_white_space(char32_t c);
// ASCII punctuation, general punctuation (U+2010-205E), CJK punctuation (U+3001-3030) and their
// full-width, small and vertical forms.
bool is_common_punctuation(char32_t c);

// Full-width ASCII becomes ASCII, ASCII and Latin-1 letters lower case; white space and common
// punctuation are dropped. A text of nothing else becomes empty.
std::string normalize_for_overlap(std::string_view text);

// The text without white space at either end.
std::string_view trim_white_space(std::string_view text);

}  // namespace spanforge
