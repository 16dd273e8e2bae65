#pragma once
// Synthetic examples: a context of words, windows over it, and logits from a seed.

#include <random>
#include <string>
#include <vector>

#include "spanforge/decode/example_view.h"

namespace spanforge::testing {

// Owns what an ExampleView refers to. The context is "w0 w1 w2 ...", one token per word; every
// window is [CLS] q q [SEP] words [SEP].
struct SyntheticExample {
  struct Window {
    std::vector<float> start, end;
    std::vector<CharSpan> offsets;
    std::vector<int32_t> word_ids, input_ids;
    TokenSpan context;
  };
  std::string context;
  std::vector<Window> windows;
  int32_t overlap = 0;

  ExampleView view() const {
    ExampleView view(context);
    view.window_overlap = overlap;
    for (size_t i = 0; i < windows.size(); ++i) {
      const Window& w = windows[i];
      view.windows.push_back(
          {w.start, w.end, w.offsets, w.word_ids, w.input_ids, w.context, static_cast<int32_t>(i)});
    }
    return view;
  }
};

// words: of the context; room: words per window. steps: if positive, logits are multiples of
// 1/steps, so that ties are common.
inline SyntheticExample make_example(std::mt19937_64& random, int32_t words, int32_t room,
                                     int32_t overlap, int32_t steps = 0) {
  SyntheticExample example;
  example.overlap = overlap;
  std::vector<CharSpan> spans;
  for (int32_t i = 0; i < words; ++i) {
    if (i > 0) example.context += ' ';
    const auto start = static_cast<int32_t>(example.context.size());
    example.context += 'w';
    example.context += std::to_string(i);
    spans.push_back({start, static_cast<int32_t>(example.context.size())});
  }
  std::normal_distribution<float> normal(0.0f, 2.0f);
  const auto logit = [&] {
    const float x = normal(random);
    return steps > 0 ? static_cast<float>(static_cast<int>(x * static_cast<float>(steps))) /
                           static_cast<float>(steps)
                     : x;
  };
  for (int32_t first = 0;; first += room - overlap) {
    const int32_t last = std::min(words, first + room);
    SyntheticExample::Window window;
    const auto token = [&](CharSpan offsets, int32_t word, int32_t id) {
      window.offsets.push_back(offsets);
      window.word_ids.push_back(word);
      window.input_ids.push_back(id);
      window.start.push_back(logit());
      window.end.push_back(logit());
    };
    token({0, 0}, -1, 101);
    token({0, 1}, 0, 5);
    token({2, 3}, 1, 6);
    token({0, 0}, -1, 102);
    for (int32_t i = first; i < last; ++i) token(spans[static_cast<size_t>(i)], i, 1000 + i);
    token({0, 0}, -1, 102);
    window.context = {4, 4 + last - first};
    example.windows.push_back(std::move(window));
    if (last == words) return example;
  }
}

}  // namespace spanforge::testing
