#pragma once
// What loading noticed, in the words of transformers' from_pretrained (4.57). A message has several
// lines. Names from files and from the command line are escaped, so that they never end a line.

#include <optional>
#include <string>
#include <vector>

namespace spanforge {

struct ModelConfig;

// What loading noticed, for the messages HF users know.
struct LoadReport {
  std::vector<std::string> unused;       // in the file, not in the model (the pooler, for example)
  std::vector<std::string> initialized;  // made new (only the QA head may be)
  std::vector<std::string> notes;        // what was read otherwise than written; a line each
};

// "Some weights of the model checkpoint at SOURCE were not used when initializing
// BertForQuestionAnswering: ['bert.pooler.dense.bias', ...]" and what it means. nullopt if all were
// used. source: the directory or hub id that the user named.
std::optional<std::string> unused_weights_message(const LoadReport& report,
                                                  const ModelConfig& config,
                                                  const std::string& source);

// "Some weights of BertForQuestionAnswering were not initialized from the model checkpoint at
// SOURCE and are newly initialized: ['qa_outputs.bias', 'qa_outputs.weight']", line end, "You
// should probably TRAIN this model ...". nullopt if no weights were made new.
std::optional<std::string> new_weights_message(const LoadReport& report, const ModelConfig& config,
                                               const std::string& source);

// The report, with the note of reading config.json before its own notes.
LoadReport with_note(LoadReport report, const ModelConfig& config);

// Splits a message, so that each line can be printed as a line of its own.
std::vector<std::string> message_lines(const std::string& message);

}  // namespace spanforge
