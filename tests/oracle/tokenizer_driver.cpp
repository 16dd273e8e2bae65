// Runs the tokenizer over JSON lines, for oracle_tokenizer.py.
//   tokenizer_driver DIRECTORY < requests > answers
// A request: {"text", "pair"?, "add_special_tokens"?, "max_length"?, "stride"?, "strategy"?,
// "pad_length"?, "pad_multiple"?, "pad_left"?} -> an encoding; {"batch": [...], ...} or
// {"pairs": [[a, b], ...], ...} -> a list;
// {"decode": [ids], "skip", "clean_up"} -> {"text"}; {"save": DIRECTORY} -> {}; {"count": text} ->
// {"tokens"}. An error gives {"error": code, "what"}.

#include <iostream>
#include <string>

#include "spanforge/base/error.h"
#include "spanforge/base/json.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

Json to_json(const Encoding& e) {
  Json offsets = Json::array(), words = Json::array(),
            sequences = Json::array();
  for (const CharSpan& span : e.offsets) offsets.push_back({span.start, span.end});
  for (const int32_t w : e.word_ids) words.push_back(w < 0 ? Json() : Json(w));
  for (const int32_t s : e.sequence_ids) sequences.push_back(s < 0 ? Json() : Json(s));
  Json overflowing = Json::array();
  for (const Encoding& window : e.overflowing) overflowing.push_back(to_json(window));
  return {{"ids", e.ids},
          {"type_ids", e.type_ids},
          {"tokens", e.tokens},
          {"offsets", offsets},
          {"special_tokens_mask", e.special_tokens_mask},
          {"attention_mask", e.attention_mask},
          {"word_ids", words},
          {"sequence_ids", sequences},
          {"overflowing", overflowing}};
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

Json answer(const Tokenizer& tokenizer, const Json& request) {
  if (request.contains("decode")) {
    return {
        {"text", tokenizer.decode(request["decode"].get<std::vector<int32_t>>(),
                                  request.value("skip", true), request.value("clean_up", true))}};
  }
  if (request.contains("save")) {
    tokenizer.save(request["save"].get<std::string>());
    return Json::object();
  }
  if (request.contains("count")) {
    TokenBuffer buffer;
    tokenizer.tokenize(request["count"].get<std::string>(), buffer);
    return {{"tokens", buffer.size()}};
  }
  const EncodeOptions options = options_of(request);
  if (request.contains("pairs")) {
    Json list = Json::array();
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const Json& pair : request["pairs"]) {
      pairs.emplace_back(pair.at(0).as_string(), pair.at(1).as_string());
    }
    for (const Encoding& e : tokenizer.encode_pair_batch(pairs, options)) {
      list.push_back(to_json(e));
    }
    return list;
  }
  if (request.contains("batch")) {
    Json list = Json::array();
    for (const Encoding& e :
         tokenizer.encode_batch(request["batch"].get<std::vector<std::string>>(), options)) {
      list.push_back(to_json(e));
    }
    return list;
  }
  const std::string text = request.at("text").get<std::string>();
  if (request.contains("pair")) {
    return to_json(tokenizer.encode_pair(text, request["pair"].get<std::string>(), options));
  }
  return to_json(tokenizer.encode(text, options));
}

Json error_json(const Error& error) {
  return {{"error", std::string(error_code_name(error.code()))}, {"what", error.what()}};
}

int run(const char* directory) {
  const Tokenizer tokenizer = Tokenizer::from_directory(directory);
  for (std::string line; std::getline(std::cin, line);) {
    Json result;
    try {
      result = answer(tokenizer, parse_json(line, "request", ErrorCode::kBadData));
    } catch (const Error& error) {
      result = error_json(error);
    }
    std::cout << result.dump() << '\n' << std::flush;
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
