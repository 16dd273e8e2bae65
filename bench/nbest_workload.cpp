// nbest_workload LOGITS WINDOWS TOKENS THREADS DECODER
// LOGITS: float32, start logits of all windows, then end logits. Every window is a separate
// question: [CLS] 20 tokens [SEP] context [SEP]; the ten best answers of each are made.

#include <cstring>
#include <string>
#include <vector>

#include "spanforge/base/threads.h"
#include "spanforge/decode/decoders.h"
#include "spanforge/io/file.h"
#include "workload.h"

namespace spanforge::bench {
namespace {

struct Windows {
  std::string context;
  std::vector<CharSpan> offsets;
  std::vector<int32_t> word_ids, input_ids;
  std::vector<float> logits;
  int32_t count, tokens;

  ExampleView view(int32_t w) const {
    const auto at = static_cast<size_t>(w) * static_cast<size_t>(tokens);
    const size_t ends = static_cast<size_t>(count) * static_cast<size_t>(tokens);
    const auto size = static_cast<size_t>(tokens);
    ExampleView view(context);
    view.windows.push_back({{logits.data() + at, size},
                            {logits.data() + ends + at, size},
                            offsets,
                            word_ids,
                            input_ids,
                            {22, tokens - 1},
                            w});
    return view;
  }
};

Windows make_windows(const char* file, int32_t count, int32_t tokens) {
  Windows windows;
  windows.count = count, windows.tokens = tokens;
  const std::string bytes = read_file(file);
  windows.logits.resize(bytes.size() / sizeof(float));
  std::memcpy(windows.logits.data(), bytes.data(), windows.logits.size() * sizeof(float));
  if (windows.logits.size() != 2 * static_cast<size_t>(count) * static_cast<size_t>(tokens)) {
    throw std::runtime_error(std::string(file) + ": not the number of logits it should hold");
  }
  for (int32_t t = 0; t < tokens; ++t) {
    const bool in_context = t >= 22 && t < tokens - 1;
    const auto start = static_cast<int32_t>(windows.context.size());
    if (in_context) windows.context += "word ";
    windows.offsets.push_back(in_context ? CharSpan{start, start + 4} : CharSpan{});
    windows.word_ids.push_back(in_context ? t - 22 : -1);
    windows.input_ids.push_back(1000 + t);
  }
  return windows;
}

DecodedExample decode(const ExampleView& view, const DecoderOptions& options) {
  switch (options.kind) {
    case DecoderKind::kSpanforge: return decode_spanforge(view, options);
    case DecoderKind::kPipeline: return decode_pipeline(view, options);
    case DecoderKind::kRunQa: return decode_run_qa(view, options);
    case DecoderKind::kRecipe: return decode_recipe(view, options);
  }
  throw std::logic_error("unknown decoder");
}

}  // namespace
}  // namespace spanforge::bench

int main(int argc, char** argv) {
  using namespace spanforge;
  if (argc != 6) return 2;
  return bench::guarded([&] {
    const bench::Windows windows =
        bench::make_windows(argv[1], std::stoi(argv[2]), std::stoi(argv[3]));
    set_thread_count(std::stoi(argv[4]));
    DecoderOptions options;
    options.kind = find_spelling<DecoderKind>(argv[5]).value();
    options.top_k = 10;
    bench::answer_runs([&]() -> Json {
      std::vector<DecodedExample> decoded(static_cast<size_t>(windows.count));
      parallel_for(windows.count, 16, [&](int64_t w) {
        decoded[static_cast<size_t>(w)] =
            bench::decode(windows.view(static_cast<int32_t>(w)), options);
      });
      const DecodedExample& last = decoded.back();
      Json tokens = Json::array();
      for (const Candidate& c : last.candidates) tokens.push_back({c.start_token, c.end_token});
      return {{"last", tokens}, {"score", last.candidates.at(0).score}};
    });
  });
}
