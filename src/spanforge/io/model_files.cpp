#include "spanforge/io/model_files.h"

namespace spanforge {

std::string describe_tokenizer_files() {
  std::string out;
  for (size_t i = 0; i < kTokenizerFiles.size(); ++i) {
    const auto& [first, second] = kTokenizerFiles[i].names;
    if (i > 0) out += i + 1 == kTokenizerFiles.size() ? ", or " : ", ";
    out += first;
    if (second != nullptr) out += std::string(" with ") + second;
  }
  return out;
}

std::string describe_weight_files() {
  std::string out;
  for (const char* name : kWeightFiles) out += (out.empty() ? "" : " or ") + std::string(name);
  return out;
}

}  // namespace spanforge
