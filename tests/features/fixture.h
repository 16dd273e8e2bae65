#pragma once
// Datasets of tokens that are easy to count.

#include <cstdint>
#include <string>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/features/feature_set.h"
#include "spanforge/text/tokenizer.h"

namespace spanforge::testing {

// Knows the words w0..w9 and a few others.
Tokenizer make_tokenizer();
// "w0 w1 ... w9 w0 ..."
std::string words(int count);
// One question, "q1" at data[0].
Dataset make_dataset(const std::string& context, const std::string& question,
                     std::vector<Answer> answers = {});
// Questions about 50 contexts of up to 90 words; most have an aligned answer.
Dataset random_dataset(int examples);
FeatureOptions make_options(int32_t length, int32_t overlap);

}  // namespace spanforge::testing
