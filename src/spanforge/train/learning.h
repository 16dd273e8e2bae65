#pragma once
// What --freeze and the --lora options say about which parameters learn.

#include "spanforge/model/trainable_model.h"
#include "spanforge/train/arguments.h"

namespace spanforge {

// Proves what can be proved without a model. Errors: Error{kUsage} naming the option.
void check_learning(const TrainingArguments& arguments);

// adapter: that training goes on with; null: it starts from a whole model. An adapter keeps its
// configuration; options that state another one are Error{kUsage}.
Learning choose_learning(const TrainingArguments& arguments, const ModelConfig& config,
                         const LoraConfig* adapter);

}  // namespace spanforge
