// tokenizer_workload MODEL TEXTS THREADS tokenize|encode
// TEXTS: a JSON list of strings. tokenize: ids, offsets and word ids in flat arrays, as training
// and answering use them; encode: encode_batch, with all that Hugging Face's Encoding holds.

#include <atomic>
#include <string>
#include <vector>

#include "spanforge/base/threads.h"
#include "spanforge/io/file.h"
#include "spanforge/io/json_file.h"
#include "spanforge/text/tokenizer.h"
#include "workload.h"

namespace spanforge::bench {
namespace {

int64_t tokenize_all(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::atomic<int64_t> tokens = 0;
  parallel_for(static_cast<int64_t>(texts.size()), 16, [&](int64_t i) {
    thread_local TokenBuffer buffer;
    buffer.clear();
    tokenizer.tokenize(texts[static_cast<size_t>(i)], buffer);
    tokens += static_cast<int64_t>(buffer.size());
  });
  return tokens;
}

// As on the other side, freeing the encodings is not timed.
Json encode_all(const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Encoding> encodings = tokenizer.encode_batch(texts);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  int64_t tokens = 0;
  for (const Encoding& e : encodings) tokens += static_cast<int64_t>(e.ids.size()) - 2;
  return {{"tokens", tokens}, {"seconds", seconds.count()}};
}

}  // namespace
}  // namespace spanforge::bench

int main(int argc, char** argv) {
  using namespace spanforge;
  if (argc != 5) return 2;
  return bench::guarded([&] {
    set_thread_count(std::stoi(argv[3]));
    const Tokenizer tokenizer = Tokenizer::from_directory(argv[1]);
    const auto texts =
        parse_json_file(argv[2], ErrorCode::kBadData).get<std::vector<std::string>>();
    const bool flat = std::string(argv[4]) == "tokenize";
    bench::answer_runs([&]() -> Json {
      if (!flat) return bench::encode_all(tokenizer, texts);
      return {{"tokens", bench::tokenize_all(tokenizer, texts)}};
    });
  });
}
