#pragma once
// For the tests of text/: a small vocabulary, random texts and files of a text.

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "spanforge/base/random.h"
#include "spanforge/base/utf8.h"
#include "spanforge/io/file.h"
#include "spanforge/text/tokenizer.h"
#include "support/testing.h"

namespace spanforge::testing {

inline void write(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::vector<std::string> sample_vocabulary() {
  std::vector<std::string> lines{""};
  for (const char c : read_file(golden("text/vocab.txt"))) {
    if (c == '\n') {
      lines.emplace_back();
    } else {
      lines.back() += c;
    }
  }
  lines.pop_back();
  return lines;
}

inline Tokenizer sample_tokenizer(bool lower_case = true) {
  Tokenizer::BertOptions options;
  options.do_lower_case = lower_case;
  return Tokenizer::from_vocabulary(sample_vocabulary(), options, "sample vocabulary");
}

// RoBERTa's tokenizer over a small vocabulary of byte pairs (tests/golden/text/generate.py).
inline std::map<std::string, std::string> roberta_files(const std::string& config) {
  return {{"vocab.json", read_file(golden("text/vocab.json"))},
          {"merges.txt", read_file(golden("text/merges.txt"))},
          {"tokenizer_config.json", config}};
}
inline Tokenizer roberta_tokenizer(const std::string& config) {
  return Tokenizer::from_files(roberta_files(config), "sample");
}

// Words, Chinese, marks, white space, control characters, special tokens and arbitrary code points.
inline std::string random_text(CounterStream& random, size_t length) {
  static const std::vector<std::string> kPieces = {
      "the",    "unhappily", "Day",    "一",     "国",     "。",     "!",      " ",
      "\t",     "\n",        "\u3000", "\u0301", "é",      "É",      "각",     "[SEP]",
      "[MASK]", "[CLS",      "##",     "\u0316", "\u1b44", "\u302e", "\u200b", "😀"};
  std::string text;
  while (length-- > 0) {
    if (random.next_below(10) < 8) {
      text += kPieces[random.next_below(kPieces.size())];
      continue;
    }
    const auto c = static_cast<char32_t>(random.next_below(0x110000));
    if (c < 0xD800 || c > 0xDFFF) append_utf8(c, text);
  }
  return text;
}

}  // namespace spanforge::testing
