#pragma once
// Turns --freeze and the --lora options into the choice of parameters that learn.

#include "spanforge/model/trainable_model.h"
#include "spanforge/train/arguments.h"

namespace spanforge {

// Checks what can be checked without a model. Errors: Error{kUsage} naming the option.
void check_learning(const TrainingArguments& arguments);

// adapter: the adapter to train; null: training starts from a whole model. An adapter keeps its
// configuration; options that contradict it are Error{kUsage}.
Learning choose_learning(const TrainingArguments& arguments, const ModelConfig& config,
                         const LoraConfig* adapter);

}  // namespace spanforge
