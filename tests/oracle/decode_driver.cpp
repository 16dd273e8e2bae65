// Decoders over JSON, for oracle_decode.py: reads a JSON array of
//   {"context", "window_overlap", "windows": [{"start", "end", "offsets", "word_ids", "input_ids",
//    "context": [first, end]}], "decoder", and DecoderOptions fields by name}
// from standard input and writes an array of
//   {"prediction", "null_odds", "best_non_null", "candidates": [{"text", "score", "start",
//   "end"}]}.
#include <iostream>
#include <iterator>

#include "spanforge/base/json.h"
#include "spanforge/decode/decoders.h"

namespace {

using spanforge::Json;

struct WindowData {
  std::vector<float> start, end;
  std::vector<spanforge::CharSpan> offsets;
  std::vector<int32_t> word_ids, input_ids;
};

spanforge::DecodedExample decode(const Json& input) {
  const auto context = input.at("context").get<std::string>();
  std::vector<WindowData> data;
  spanforge::ExampleView view(context);
  view.window_overlap = input.at("window_overlap").get<int32_t>();
  const Json& windows = input.at("windows");
  data.reserve(windows.size());
  for (const Json& window : windows) {
    WindowData& d = data.emplace_back();
    d.start = window.at("start").get<std::vector<float>>();
    d.end = window.at("end").get<std::vector<float>>();
    d.word_ids = window.at("word_ids").get<std::vector<int32_t>>();
    d.input_ids = window.at("input_ids").get<std::vector<int32_t>>();
    for (const Json& o : window.at("offsets"))
      d.offsets.push_back({o[0].get<int32_t>(), o[1].get<int32_t>()});
    view.windows.push_back(
        {d.start,
         d.end,
         d.offsets,
         d.word_ids,
         d.input_ids,
         {window.at("context")[0].get<int32_t>(), window.at("context")[1].get<int32_t>()},
         static_cast<int32_t>(data.size()) - 1});
  }
  spanforge::DecoderOptions options;
  options.kind =
      spanforge::find_spelling<spanforge::DecoderKind>(input.at("decoder").get<std::string>())
          .value();
  options.top_k = input.value("top_k", options.top_k);
  options.n_best_size = input.value("n_best_size", options.n_best_size);
  options.max_answer_length = input.value("max_answer_length", options.max_answer_length);
  options.null_answers = input.value("null_answers", options.null_answers);
  options.null_threshold = input.value("null_threshold", options.null_threshold);
  options.align_to_words = input.value("align_to_words", options.align_to_words);
  options.temperature = input.value("temperature", options.temperature);
  switch (options.kind) {
    case spanforge::DecoderKind::kSpanforge: return decode_spanforge(view, options);
    case spanforge::DecoderKind::kPipeline: return decode_pipeline(view, options);
    case spanforge::DecoderKind::kRunQa: return decode_run_qa(view, options);
    case spanforge::DecoderKind::kRecipe: return decode_recipe(view, options);
  }
  return {};
}

Json to_json(const spanforge::DecodedExample& decoded) {
  Json candidates = Json::array();
  for (const spanforge::Candidate& c : decoded.candidates) {
    candidates.push_back(
        {{"text", c.text}, {"score", c.score}, {"start", c.span.start}, {"end", c.span.end}});
  }
  return {{"prediction", decoded.prediction.text},
          {"null_odds", decoded.null_odds},
          {"best_non_null", decoded.best_non_null},
          {"candidates", candidates}};
}

}  // namespace

int main() {
  try {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    const Json input =
        spanforge::parse_json(text, "standard input", spanforge::ErrorCode::kBadData);
    Json output = Json::array();
    for (const Json& example : input) output.push_back(to_json(decode(example)));
    std::cout << spanforge::dump_python_json(output) << "\n";
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
