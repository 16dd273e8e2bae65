#pragma once
// What a question asks for, told from its interrogative.

#include <string_view>

namespace spanforge {

// For a question that holds a Chinese character: 为什么, 什么时候, 哪里, 谁, 多少, 怎么, 哪个,
// 什么, 是否 or 其他, traditional spellings and synonyms (何时, 誰, 几 ...) included; where several
// occur, the first in this order. Otherwise by the first interrogative word: who (whom, whose),
// what, when, where, why, which, how many (much), how long, how old, how far, how often, how tall,
// how high, how big, how, yes/no (starts with an auxiliary) or other.
std::string_view question_form(std::string_view question);

}  // namespace spanforge
