#include <cstdio>

#include "spanforge/inference/pipeline.h"
#include "spanforge/metrics/squad.h"
#include "spanforge/train/trainer.h"

int main() {
  // Something of the lowest and of the highest layers must link.
  spanforge::TrainingArguments arguments;
  arguments.save_strategy = spanforge::SaveStrategy::kNo;
  try {
    spanforge::train(arguments);
    return 1;
  } catch (const spanforge::Error& error) {
    std::printf("%s\n", error.what());
  }
  try {
    spanforge::Pipeline::from_directory("/nowhere");
    return 1;
  } catch (const spanforge::Error& error) {
    std::printf("%s\n", error.what());
  }
  return spanforge::squad_f1("a red boat", "red boat") == 1.0 ? 0 : 1;
}
