#pragma once
// Rough equality of texts: finds texts that two files share although they are written differently.

#include <string>
#include <string_view>

namespace spanforge {

// Unicode's White_Space.
bool is_white_space(char32_t c);
// ASCII punctuation, general punctuation (U+2010-205E), CJK punctuation (U+3001-3030) and their
// full-width, small and vertical forms.
bool is_common_punctuation(char32_t c);

// Changes full-width ASCII to ASCII, and ASCII and Latin-1 letters to lower case; removes white
// space and common punctuation.
std::string normalize_for_overlap(std::string_view text);

// The text without white space at either end.
std::string_view trim_white_space(std::string_view text);

}  // namespace spanforge
