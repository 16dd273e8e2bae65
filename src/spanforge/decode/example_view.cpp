#include "spanforge/decode/example_view.h"

#include <algorithm>
#include <cmath>

#include "spanforge/base/error.h"
#include "spanforge/data/dataset.h"

namespace spanforge {

ExampleView view_example(const Dataset& dataset, const FeatureSet& features, const LogitSet& logits,
                         size_t example) {
  ExampleView view(dataset.context_of(dataset.examples[example]));
  view.window_overlap = features.window_options().window_overlap;
  const auto [first, last] = features.windows_of(example);
  for (int32_t i = first; i < last; ++i) {
    const Window& window = features.windows()[static_cast<size_t>(i)];
    WindowView& out = view.windows.emplace_back();
    out.start = logits.start_of(window);
    out.end = logits.end_of(window);
    out.offsets = features.offsets(window);
    out.word_ids = features.word_ids(window);
    out.input_ids = features.input_ids(window);
    out.context = window.context;
    out.window = i;
    const auto finite = [](float x) { return std::isfinite(x); };
    if (!std::all_of(out.start.begin(), out.start.end(), finite) ||
        !std::all_of(out.end.begin(), out.end.end(), finite)) {
      throw Error(ErrorCode::kNonFinite,
                  {.where = "logits of question id " + dataset.examples[example].id},
                  "a value is NaN or infinite; the model's weights are broken");
    }
  }
  return view;
}

}  // namespace spanforge
