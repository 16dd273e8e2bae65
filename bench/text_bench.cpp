// Speed of processing texts: UTF-8, tokenizing, windows, JSON and datasets. bytes/s counts the
// text. Texts are made up; bench.sh measures real ones and compares with the alternatives.

#include <string>

#include <benchmark/benchmark.h>

#include "spanforge/base/json.h"
#include "spanforge/base/random.h"
#include "spanforge/base/threads.h"
#include "spanforge/data/dataset.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge {
namespace {

enum Script : int64_t { kLatin, kChinese };

std::string make_text(int64_t script, size_t bytes, uint64_t seed) {
  CounterStream random(seed);
  std::string text;
  while (text.size() < bytes) {
    if (script == kChinese) {
      append_utf8(static_cast<char32_t>(0x4E00 + random.next_below(3000)), text);
      if (random.next_below(12) == 0) text += "，";
    } else {
      for (uint64_t k = 1 + random.next_below(9); k > 0; --k) {
        text += static_cast<char>('a' + random.next_below(26));
      }
      text += random.next_below(9) == 0 ? ", " : " ";
    }
  }
  return text;
}

const Tokenizer& tokenizer() {
  static const Tokenizer made = [] {
    std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "，"};
    for (char32_t c = 0x4E00; c < 0x4E00 + 3000; ++c) {
      tokens.push_back(encode_utf8(std::u32string(1, c)));
    }
    for (char a = 'a'; a <= 'z'; ++a) {
      tokens.push_back(std::string(1, a)), tokens.push_back("##" + tokens.back());
      for (char b = 'a'; b <= 'z'; ++b) {
        tokens.push_back({a, b}), tokens.push_back("##" + tokens.back());
      }
    }
    return Tokenizer::from_vocabulary(tokens, {}, "bench");
  }();
  return made;
}

std::string squad_json(size_t articles) {
  Json data = Json::array();
  for (size_t a = 0; a < articles; ++a) {
    const std::string context = make_text(kLatin, 700, a);
    Json questions = Json::array();
    for (int q = 0; q < 4; ++q) {
      Json answer = Json::object();
      answer["text"] = context.substr(0, context.find(' '));
      answer["answer_start"] = 0;
      Json question = Json::object();
      question["id"] = std::to_string(a) + "-" + std::to_string(q);
      question["question"] = make_text(kLatin, 40, a * 4 + static_cast<size_t>(q)) + "?";
      question["answers"] = Json::array({answer});
      questions.push_back(question);
    }
    Json paragraph = Json::object();
    paragraph["context"] = context;
    paragraph["qas"] = questions;
    Json article = Json::object();
    article["title"] = "t";
    article["paragraphs"] = Json::array({paragraph});
    data.push_back(article);
  }
  Json root = Json::object();
  root["version"] = "v2.0";
  root["data"] = data;
  return root.dump();
}

void count_bytes(benchmark::State& state, size_t bytes) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes));
}

void check_utf8(benchmark::State& state) {
  const std::string text = make_text(state.range(0), 1 << 16, 1);
  for (auto _ : state) benchmark::DoNotOptimize(find_invalid_utf8(text));
  count_bytes(state, text.size());
}
BENCHMARK(check_utf8)->Arg(kLatin)->Arg(kChinese);

void index_code_points(benchmark::State& state) {
  const std::string text = make_text(state.range(0), 1 << 16, 1);
  for (auto _ : state) benchmark::DoNotOptimize(CodePointIndex(text).size());
  count_bytes(state, text.size());
}
BENCHMARK(index_code_points)->Arg(kLatin)->Arg(kChinese);

// Second argument 1: because of a mark that NFD may move, the parts take the whole text.
void tokenize(benchmark::State& state) {
  const std::string text =
      make_text(state.range(0), 1 << 16, 2) + (state.range(1) == 1 ? "\u302e" : "");
  TokenBuffer buffer;
  for (auto _ : state) {
    buffer.clear();
    tokenizer().tokenize(text, buffer);
  }
  count_bytes(state, text.size());
}
BENCHMARK(tokenize)->ArgsProduct({{kLatin, kChinese}, {0, 1}});

void encode(benchmark::State& state) {
  const std::string text = make_text(state.range(0), 1 << 12, 2);
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer().encode(text).ids.size());
  count_bytes(state, text.size());
}
BENCHMARK(encode)->Arg(kLatin)->Arg(kChinese);

void parse_json_text(benchmark::State& state) {
  const std::string text = squad_json(500);
  for (auto _ : state) {
    benchmark::DoNotOptimize(parse_json(text, "bench", ErrorCode::kBadData).size());
  }
  count_bytes(state, text.size());
}
BENCHMARK(parse_json_text);

void load_squad(benchmark::State& state) {
  const std::string text = squad_json(500);
  for (auto _ : state) benchmark::DoNotOptimize(parse_dataset(text, "bench.json").examples.size());
  count_bytes(state, text.size());
}
BENCHMARK(load_squad);

void make_features(benchmark::State& state) {
  const Dataset dataset = parse_dataset(squad_json(500), "bench.json");
  set_thread_count(static_cast<int>(state.range(0)));
  for (auto _ : state) {
    benchmark::DoNotOptimize(FeatureSet::build(dataset, tokenizer(), {}).size());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(dataset.examples.size()));
}
BENCHMARK(make_features)->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
}  // namespace spanforge

BENCHMARK_MAIN();
