#pragma once
// Option rows and steps that several commands share.

#include <string>

#include "options.h"
#include "spanforge/model/model_directory.h"

namespace spanforge::app {

inline constexpr OptionInfo kModelOption{"model", "model directory, or hub id org/name[@revision]",
                                         ""};
inline constexpr OptionInfo kThreadsOption{
    "threads", "threads to compute with; 0: the cores this process may use", "0..4096"};
inline constexpr OptionInfo kVerifyOption{
    "verify", "compare the model's files with the SHA-256 sums of its manifest first", ""};
inline constexpr OptionInfo kJsonOption{"json", "print JSON on standard output and nothing else",
                                        ""};
inline constexpr OptionInfo kDecoderOption{"decoder",
                                           "how logits become answers; default: as trained", ""};
inline constexpr OptionInfo kMaxSeqLengthOption{
    "max_seq_length", "tokens of a window; default: what the model allows, at most 384", "> 0",
    "max_seq_len"};
inline constexpr OptionInfo kWindowOverlapOption{
    "window_overlap", "tokens that consecutive windows share; default: half a window, at most 128",
    ">= 0", "doc_stride,stride"};
inline constexpr OptionInfo kMaxAnswerLengthOption{
    "max_answer_length",
    "longest answer, tokens; default: stored with the model, else the decoder's", "> 0",
    "max_answer_len"};

// The directory that --model means; for an adapter with its base. Downloads what a hub id needs
// into the cache first. Errors: Error{kIo} if a path does not exist or is not a directory; the
// hub's for an id; find_base()'s.
ModelDirectory resolve_model(const std::string& model);
// The same, but also checks what the cache holds, and downloads damaged files again.
ModelDirectory resolve_and_verify_model(const std::string& model);

}  // namespace spanforge::app
