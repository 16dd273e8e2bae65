// growth_workload MODEL DATA
// A run makes all windows of a data file that is in memory, a chunk at a time as evaluation does,
// and reports their number and the processor time.

#include <ctime>

#include "spanforge/data/dataset.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/text/tokenizer.h"
#include "workload.h"

int main(int argc, char** argv) {
  using namespace spanforge;
  if (argc != 3) return 2;
  return bench::guarded([&] {
    const Tokenizer tokenizer = Tokenizer::from_directory(argv[1]);
    const Dataset dataset = load_dataset(argv[2]);
    bench::answer_runs([&]() -> Json {
      const std::clock_t start = std::clock();
      FeatureStream stream(dataset, tokenizer, {});
      int64_t windows = 0, tokens = 0;
      while (const std::optional<FeatureSet> chunk = stream.next()) {
        windows += static_cast<int64_t>(chunk->size());
        tokens += chunk->token_count();
      }
      return {{"windows", windows},
              {"tokens", tokens},
              {"processor", static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC}};
    });
  });
}
