#pragma once
// Classifies a question by its interrogative word.

#include <string_view>

namespace spanforge {

// With a Chinese character: 为什么, 什么时候, 哪里, 谁, 多少, 怎么, 哪个, 什么, 是否 or 其他,
// including traditional spellings and synonyms (何时, 誰, 几 ...). If several occur, the first in
// this order counts. Otherwise the first interrogative word decides: who (whom, whose), what, when,
// where, why, which, how many (much), how long, how old, how far, how often, how tall, how high,
// how big, how, yes/no (the question begins with an auxiliary) or other.
std::string_view question_form(std::string_view question);

}  // namespace spanforge
