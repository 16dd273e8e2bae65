// Speed of decoding and scoring: the four decoders on windows of 384 tokens, squad_v2.

#include <string>

#include <benchmark/benchmark.h>

#include "spanforge/base/random.h"
#include "spanforge/decode/decoders.h"
#include "spanforge/metrics/squad.h"

namespace spanforge {
namespace {

// Arguments: decoder, windows of the question.
void decode(benchmark::State& state) {
  constexpr int32_t kTokens = 384, kContext = 22;
  const auto windows = static_cast<size_t>(state.range(1));
  CounterStream random(5);
  std::string context;
  std::vector<CharSpan> offsets(kTokens);
  std::vector<int32_t> word_ids(kTokens, -1), input_ids(kTokens, 7);
  for (int32_t t = kContext; t + 1 < kTokens; ++t) {
    const auto start = static_cast<int32_t>(context.size());
    context += "word ";
    offsets[static_cast<size_t>(t)] = {start, start + 4};
    word_ids[static_cast<size_t>(t)] = t - kContext;
  }
  std::vector<float> logits(2 * windows * kTokens);
  for (float& x : logits) x = static_cast<float>(random.next_below(1 << 20)) / (1 << 17);
  ExampleView view(context);
  for (size_t w = 0; w < windows; ++w) {
    const float* at = logits.data() + 2 * w * kTokens;
    view.windows.push_back({{at, kTokens},
                            {at + kTokens, kTokens},
                            offsets,
                            word_ids,
                            input_ids,
                            {kContext, kTokens - 1},
                            static_cast<int32_t>(w)});
  }
  DecoderOptions options;
  options.top_k = 10;
  const auto kind = static_cast<DecoderKind>(state.range(0));
  state.SetLabel(std::string(spelling_of(kind)));
  for (auto _ : state) {
    const DecodedExample decoded = kind == DecoderKind::kSpanforge ? decode_spanforge(view, options)
                                   : kind == DecoderKind::kPipeline ? decode_pipeline(view, options)
                                   : kind == DecoderKind::kRunQa    ? decode_run_qa(view, options)
                                                                    : decode_recipe(view, options);
    benchmark::DoNotOptimize(decoded.candidates.size());
  }
  state.SetItemsProcessed(state.iterations() * state.range(1));
}
BENCHMARK(decode)->ArgsProduct({{0, 1, 2, 3}, {1, 4}});

void score_squad(benchmark::State& state) {
  const char* words[] = {"the", "Paris", "river,", "of", "1984", "a", "energy", "naïve"};
  CounterStream random(6);
  const auto text = [&] {
    std::string out;
    for (uint64_t k = 1 + random.next_below(5); k > 0; --k) {
      out += words[random.next_below(std::size(words))];
      out += ' ';
    }
    return out;
  };
  std::vector<SquadItem> items(10000);
  for (SquadItem& item : items) {
    item.golds = {text(), text(), text()};
    item.prediction = random.next_below(2) == 0 ? item.golds[0] : text();
    item.no_answer_probability = static_cast<double>(random.next_below(1000)) / 1000;
  }
  for (auto _ : state) benchmark::DoNotOptimize(score_items(kSquadV2, items).size());
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(items.size()));
}
BENCHMARK(score_squad);

}  // namespace
}  // namespace spanforge

BENCHMARK_MAIN();
