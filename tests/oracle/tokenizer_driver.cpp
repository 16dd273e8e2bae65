// Runs the tokenizer over JSON lines, for oracle_tokenizer.py.
//   tokenizer_driver DIRECTORY < requests > answers
// A request: {"text", "pair"?, "add_special_tokens"?, "max_length"?, "stride"?, "strategy"?,
// "pad_length"?, "pad_multiple"?, "pad_left"?, "sequences"? (false: no sequence ids), "decoded"?
// ("plain", "whole": the decoded text without and with special tokens)} -> an encoding; {"batch":
// [...], ...} or
// {"pairs": [[a, b], ...], ...} -> a list;
// {"decode": [ids], "skip", "clean_up"} -> {"text"}; {"save": DIRECTORY} -> {}; {"count": text} ->
// {"tokens"}. An error gives {"error": code, "what"}.

#include <algorithm>
#include <array>
#include <charconv>
#include <iostream>
#include <string>

#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

// Encodings are written as text without a JSON library, because there are millions. The fields have
// the script's order, so that lines can be compared.
template <class Values, class Write>
void write_list(const Values& values, std::string& out, const Write& write) {
  out += '[';
  bool first = true;
  for (const auto& value : values) {
    if (!first) out += ',';
    first = false;
    write(value);
  }
  out += ']';
}

void write_number(int32_t number, std::string& out) {
  std::array<char, 16> digits;
  const auto written = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), written.ptr);
}

void write_text(const std::string& text, std::string& out) {
  const bool is_plain = std::none_of(text.begin(), text.end(), [](char c) {
    return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
  });
  if (is_plain) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    out += Json(text).dump();
  }
}

void write_encoding(const Encoding& e, bool sequences, std::string& out) {
  const auto number = [&](int32_t value) { write_number(value, out); };
  const auto number_or_null = [&](int32_t value) {
    value < 0 ? void(out += "null") : write_number(value, out);
  };
  out += "{\"ids\":";
  write_list(e.ids, out, number);
  out += ",\"type_ids\":";
  write_list(e.type_ids, out, number);
  out += ",\"tokens\":";
  write_list(e.tokens, out, [&](const std::string& token) { write_text(token, out); });
  out += ",\"offsets\":";
  write_list(e.offsets, out, [&](CharSpan span) {
    write_list(std::array{span.start, span.end}, out, number);
  });
  out += ",\"special_tokens_mask\":";
  write_list(e.special_tokens_mask, out, number);
  out += ",\"attention_mask\":";
  write_list(e.attention_mask, out, number);
  out += ",\"word_ids\":";
  write_list(e.word_ids, out, number_or_null);
  out += ",\"sequence_ids\":";
  write_list(sequences ? e.sequence_ids : std::vector<int32_t>(), out, number_or_null);
  out += ",\"overflowing\":";
  write_list(e.overflowing, out,
             [&](const Encoding& window) { write_encoding(window, sequences, out); });
  out += '}';
}

EncodeOptions options_of(const Json& request) {
  EncodeOptions options;
  options.add_special_tokens = request.value("add_special_tokens", true);
  if (request.contains("max_length")) {
    Truncation truncation;
    truncation.max_length = request["max_length"].get<int32_t>();
    truncation.stride = request.value("stride", 0);
    const std::string strategy = request.value("strategy", "longest_first");
    if (strategy == "only_first") truncation.strategy = TruncationStrategy::kOnlyFirst;
    if (strategy == "only_second") truncation.strategy = TruncationStrategy::kOnlySecond;
    options.truncation = truncation;
  }
  if (request.contains("pad_length") || request.contains("pad_multiple")) {
    Padding padding;
    if (request.contains("pad_length")) padding.length = request["pad_length"].get<int32_t>();
    padding.multiple_of = request.value("pad_multiple", 0);
    if (request.value("pad_left", false)) padding.side = PaddingSide::kLeft;
    options.padding = padding;
  }
  return options;
}

std::string answer(const Tokenizer& tokenizer, const Json& request) {
  std::string out;
  if (request.contains("decode")) {
    out += "{\"text\":";
    write_text(tokenizer.decode(request["decode"].get<std::vector<int32_t>>(),
                                request.value("skip", true), request.value("clean_up", true)),
               out);
    return out += '}';
  }
  if (request.contains("save")) {
    const fs::path directory = request["save"].get<std::string>();
    spanforge::create_directories(directory);
    DirectoryWriter writer(directory);
    tokenizer.save(writer);
    return "{}";
  }
  if (request.contains("count")) {
    TokenBuffer buffer;
    tokenizer.tokenize(request["count"].get<std::string>(), buffer);
    return Json({{"tokens", buffer.size()}}).dump();
  }
  const EncodeOptions options = options_of(request);
  const bool sequences = request.value("sequences", true);
  const auto write = [&](const Encoding& e) { write_encoding(e, sequences, out); };
  if (request.contains("pairs")) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const Json& pair : request["pairs"]) {
      pairs.emplace_back(pair.at(0).as_string(), pair.at(1).as_string());
    }
    write_list(tokenizer.encode_pair_batch(pairs, options), out, write);
    return out;
  }
  if (request.contains("batch")) {
    write_list(tokenizer.encode_batch(request["batch"].get<std::vector<std::string>>(), options),
               out, write);
    return out;
  }
  const std::string text = request.at("text").get<std::string>();
  const Encoding encoding =
      request.contains("pair")
          ? tokenizer.encode_pair(text, request["pair"].get<std::string>(), options)
          : tokenizer.encode(text, options);
  write(encoding);
  if (request.contains("decoded")) {
    out.back() = ',';
    out += "\"decoded\":";
    write_text(
        tokenizer.decode(encoding.ids, request["decoded"].get<std::string>() == "plain", false),
        out);
    out += '}';
  }
  return out;
}

Json error_json(const Error& error) {
  return {{"error", std::string(error_code_name(error.code()))}, {"what", error.what()}};
}

int run(const char* directory) {
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  for (std::string line; std::getline(std::cin, line);) {
    std::string result;
    try {
      result = answer(tokenizer, parse_json(line, "request", ErrorCode::kBadData));
    } catch (const Error& error) {
      result = error_json(error).dump();
    }
    std::cout << result << '\n' << std::flush;
  }
  return 0;
}

}  // namespace
}  // namespace spanforge

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    return spanforge::run(argv[1]);
  } catch (const spanforge::Error& error) {
    std::cout << spanforge::error_json(error).dump() << std::endl;
    return spanforge::exit_code(error.code());
  }
}
