#include "encoding_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "spanforge/base/json.h"

namespace spanforge::app {
namespace {

void append_quoted(const std::string& token, std::string& out) {
  const bool plain = std::none_of(token.begin(), token.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\' || c == 0x7f;
  });
  if (plain) {
    fmt::format_to(std::back_inserter(out), "\"{}\"", token);
  } else {
    out += Json(token).dump();
  }
}

}  // namespace

// Written by hand: this is printed for every token of a corpus.
std::string to_json(const Encoding& e) {
  std::string out;
  auto at = std::back_inserter(out);
  fmt::format_to(at,
                 "{{\"input_ids\": [{}], \"token_type_ids\": [{}], \"attention_mask\": [{}], "
                 "\"offset_mapping\": [",
                 fmt::join(e.ids, ", "), fmt::join(e.type_ids, ", "),
                 fmt::join(e.attention_mask, ", "));
  for (size_t i = 0; i < e.offsets.size(); ++i) {
    fmt::format_to(at, "{}[{}, {}]", i == 0 ? "" : ", ", e.offsets[i].start, e.offsets[i].end);
  }
  out += "], \"tokens\": [";
  for (size_t i = 0; i < e.tokens.size(); ++i) {
    if (i > 0) out += ", ";
    append_quoted(e.tokens[i], out);
  }
  return out + "]}\n";
}

std::string to_text(const Encoding& e, const Tokenizer& tokenizer) {
  std::string out = fmt::format("{:>7} {:>4} {:>9}  {}\n", "id", "type", "offsets", "token");
  for (size_t i = 0; i < e.ids.size(); ++i) {
    out += fmt::format("{:>7} {:>4} {:>9}  {}\n", e.ids[i], e.type_ids[i],
                       fmt::format("{}-{}", e.offsets[i].start, e.offsets[i].end), e.tokens[i]);
  }
  return out + fmt::format("decoded: {}\n", tokenizer.decode(e.ids));
}

}  // namespace spanforge::app
