#include "encoding_text.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "spanforge/base/json.h"

namespace spanforge::app {
namespace {

void append_quoted(const std::string& token, std::string& out) {
  const bool plain = std::none_of(token.begin(), token.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7f;
  });
  if (!plain) {
    out += Json(token).dump();
    return;
  }
  out += '"';
  out += token;
  out += '"';
}

// `values` as an array; `append(value, out)` writes one of them.
template <typename Values, typename Append>
void append_array(const Values& values, std::string& out, Append append) {
  out += '[';
  const char* separator = "";
  for (const auto& value : values) {
    out += separator;
    append(value, out);
    separator = ", ";
  }
  out += ']';
}

}  // namespace

// No JSON library, because this runs for every token of a corpus.
std::string to_json(const Encoding& e) {
  const auto number = [](auto value, std::string& out) { out += std::to_string(value); };
  std::string out = "{\"input_ids\": ";
  append_array(e.ids, out, number);
  out += ", \"token_type_ids\": ";
  append_array(e.type_ids, out, number);
  out += ", \"attention_mask\": ";
  append_array(e.attention_mask, out, number);
  out += ", \"offset_mapping\": ";
  append_array(e.offsets, out, [](const auto& offset, std::string& to) {
    to += '[' + std::to_string(offset.start) + ", " + std::to_string(offset.end) + ']';
  });
  out += ", \"tokens\": ";
  append_array(e.tokens, out, append_quoted);
  return out + "}\n";
}

std::string to_text(const Encoding& e, const Tokenizer& tokenizer) {
  std::string out = fmt::format("{:>7} {:>4} {:>9}  {}\n", "id", "type", "offsets", "token");
  for (size_t i = 0; i < e.ids.size(); ++i) {
    out += fmt::format("{:>7} {:>4} {:>9}  {}\n", e.ids[i], e.type_ids[i],
                       fmt::format("{}-{}", e.offsets[i].start, e.offsets[i].end), e.tokens[i]);
  }
  return out + fmt::format("decoded: {}\njoined: {}\n", tokenizer.decode(e.ids),
                           tokenizer.decode_each(e.ids));
}

}  // namespace spanforge::app
