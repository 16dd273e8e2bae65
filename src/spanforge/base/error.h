#pragma once
// The one error type of the library. Thrown by every layer, caught and printed once, by main, as
// one line: "PLACE: WHAT". Nothing in the library prints, exits or asserts on user input; expected
// absence is std::optional, not an Error.

#include <stdexcept>
#include <string>
#include <string_view>

namespace spanforge {

enum class ErrorCode {
  kUsage,        // an option or argument is wrong                      -> exit 2
  kBadData,      // a dataset or predictions file is unsound            -> exit 3
  kBadModel,     // config, weights, tokenizer or checkpoint is unsound -> exit 3
  kNonFinite,    // NaN or Inf in loss, gradients or logits             -> exit 3
  kNetwork,      // the hub could not be reached or answered wrongly    -> exit 4
  kCacheMiss,    // offline, and the cache does not hold the file       -> exit 4
  kIo,           // the system refused: missing file, directory, full disk -> exit 74
  kInterrupted,  // a signal asked to stop; state is saved              -> exit 128 + signal (main
                 // adds)
  kInternal,     // a bug of ours                                       -> exit 70
};

// Exit status of a process that ends with this code.
int exit_code(ErrorCode code);
std::string_view error_code_name(ErrorCode code);

class Error : public std::runtime_error {
 public:
  // place: file (with position where known), option or parameter the reason is about; never empty.
  // what: the reason and, where there is one, what to do. Control characters, line ends and bytes
  // that are no UTF-8 are escaped in what(), which so is always one line of text.
  Error(ErrorCode code, std::string place, std::string what);
  ErrorCode code() const { return code_; }
  const std::string& place() const { return place_; }
  const std::string& reason() const { return reason_; }

 private:
  ErrorCode code_;
  std::string place_;
  std::string reason_;
};

// Escapes control characters and bytes that are no UTF-8 (as \n, \xNN) and cuts to `max_bytes` at
// a code point boundary with "...", for quoting user text in messages.
std::string quote_for_message(std::string_view text, size_t max_bytes = 80);

}  // namespace spanforge
