#include "linear/makes.h"

#include "spanforge/formats/zip.h"
#include "support/colliding_texts.h"
#include "support/framing.h"

namespace spanforge {

std::string repeat(std::string_view piece, size_t size) {
  std::string out;
  while (out.size() < size) out += piece;
  return out;
}

Make all(std::string piece, std::string before, std::string after) {
  return [=](size_t size) { return before + repeat(piece, size) + after; };
}

Make each(std::function<std::string(size_t)> piece_of, std::string before, std::string after) {
  return [=](size_t size) {
    std::string out = before;
    for (size_t i = 0; out.size() < size; ++i) out += piece_of(i);
    return out + after;
  };
}

Make numbered(std::string before_number, std::string after_number, std::string before,
              std::string after) {
  return each([=](size_t i) { return before_number + std::to_string(i) + after_number; }, before,
              after);
}

Make colliding(std::string before_key, std::string after_key, std::string before,
               std::string after) {
  return each([=](size_t i) { return before_key + testing::colliding_text(i) + after_key; }, before,
              after);
}

Make numbered_colliding(std::string before_number, std::string before_key, std::string after_key) {
  return each([=](size_t i) {
    return before_number + std::to_string(i) + before_key + testing::colliding_text(i) + after_key;
  });
}

Make in_one_context(std::string answers) {
  return numbered_in_one_context("word ", std::move(answers), "");
}

namespace {

// context_of: a number of bytes -> the context.
Make numbered_in_context_of(const Make& context_of, std::string before_number,
                            std::string after_number) {
  return [=](size_t size) {
    const std::string context = context_of(size / 2);
    std::string out = R"({"data": [{"paragraphs": [{"context": ")" + context + R"(", "qas": [)";
    for (size_t i = 0; out.size() < size; ++i) {
      const std::string number = std::to_string(i);
      out += (i > 0 ? ", " : "") + std::string(R"({"id": ")") + number +
             R"(", "question": "q", "answers": )" + before_number +
             (after_number.empty() ? "" : number + after_number) + "}";
    }
    return out + "]}]}]}";
  };
}

}  // namespace

Make numbered_in_one_context(std::string piece, std::string before_number,
                             std::string after_number) {
  return numbered_in_context_of(all(std::move(piece)), std::move(before_number),
                                std::move(after_number));
}

Make numbered_in_a_context_of_words(std::string before_number, std::string after_number) {
  return numbered_in_context_of(numbered("w", " "), std::move(before_number),
                                std::move(after_number));
}

std::string labels_in_one_paragraph(size_t size) {
  const std::string
      open = R"([{"id": 1, "data": {"question": "q", "context": [{"text": ")" +
             repeat("word ", size / 2) + R"("}]}, "annotations": [{"result": [)",
      last = R"({"value": {"start": "0", "end": "0", "startOffset": 0, "endOffset": 4}})";
  const Make labels =
      all(R"({"value": {"start": "0", "end": "0", "startOffset": 5, "endOffset": 9}}, )");
  return open + labels(size / 2) + last + "]}]}]";
}

std::string one_event_of_many_values(size_t size) {
  std::string summary;
  for (size_t i = 0; summary.size() < size; ++i) {
    summary += std::string("\x0a\x08\x0a\x01t\x15\0\0\0\0", 10);  // value {tag, simple_value}
  }
  std::string length;
  for (size_t rest = summary.size(); rest > 0; rest >>= 7) {
    length += static_cast<char>((rest & 127) | (rest > 127 ? 128 : 0));
  }
  return testing::event_record("\x2a" + length + summary);
}

std::string archive_of(size_t size, size_t entry_bytes,
                       const std::function<std::string(size_t)>& name_of) {
  std::string out;
  ZipWriter zip([&](std::string_view bytes) { out += bytes; });
  for (size_t i = 0; out.size() < size; ++i) {
    zip.add("archive/data/" + name_of(i), std::string(entry_bytes, 'x'));
  }
  zip.finish();
  return out;
}

const char* const kTokenizerHead =
    R"({"version": "1.0", "normalizer": {"type": "BertNormalizer", "clean_text": true,
    "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}, )";
const char* const kModelHead =
    R"("model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 1000000000, "vocab": {"[UNK]": 0, "a": 1, "##a": 2)";

std::string added_tokens(size_t count) {
  std::string out = "\"added_tokens\": [";
  for (size_t i = 0; i < count; ++i) {
    out += (i > 0 ? ", " : "") + std::string(R"({"content": "[x)") + std::to_string(i) +
           R"(]", "single_word": false, "lstrip": true, "rstrip": true, "normalized": false, )" +
           R"("special": true, "id": )" + std::to_string(i + 4) + "}";
  }
  return out + "], ";
}

std::string tokenizer_json(const std::string& added) {
  return std::string(kTokenizerHead) + added + kModelHead + R"(, "##)" + std::string(500, 'a') +
         R"(b": 3}}})";
}

}  // namespace spanforge
