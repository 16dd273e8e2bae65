#pragma once
// What: the one exception of the library. A caller decides by its fields; nobody parses a text.
//   Nothing in the library prints, exits or asserts on user input. What may well be absent is
//   std::optional, not an Error.
// Fields: the three of the place are "" where they do not apply.
//   code()       the kind of error, which also gives a program's exit status
//   file()       the file, directory, URL or hub id that is wrong, as the caller named it
//   where()      the position in the file: "line 3 column 5", "data[2].paragraphs[0]". Without a
//                file, what else is wrong: "question 2", "step 40", "HF_ENDPOINT"
//   parameter()  the parameter that is wrong, as structs and TOML files call it: "max_seq_length"
//   reason()     what is wrong and, where there is one, what to do
//   what()       all of that as one line, "FILE: WHERE: REASON" or "PARAMETER: REASON"
// Parameters in a reason are in backquotes: "is in use; give another `output`". No text of the
//   library names a flag of the program: the program (apps/spanforge/flags.h) prints --output for
//   `output`, and a binding may spell it in its own way.
//
// Example:
//   throw Error(ErrorCode::kBadData, file.string(), "is empty");
//   throw Error(ErrorCode::kBadData, {.file = file.string(), .where = "line 3"}, "is not UTF-8");
//   throw Error(ErrorCode::kUsage, {.parameter = "top_k"}, "must be at least 1");
//
//   try {
//     train(arguments);
//   } catch (const Error& error) {
//     if (error.parameter() == "learning_rate") ask_again();
//     log(error.what());  // "learning_rate: is -1, must be >= 0"
//   }

#include <concepts>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

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

// What an error is about; at least one is not "".
struct ErrorPlace {
  std::string file = {}, where = {}, parameter = {};

  // "FILE: WHERE: PARAMETER", as far as they are given; without a file "PARAMETER: WHERE". For
  // people: a program reads the fields. ":3" as where makes "FILE:3", which editors open.
  std::string text() const;
  // A position inside this one: "data[2]" and "answers" make "data[2]: answers".
  ErrorPlace inside(const std::string& position) const;
};

class Error : public std::runtime_error {
 public:
  // what() escapes control characters, line ends and bytes that are no UTF-8: it is always one line
  // of text. The fields hold what was given.
  Error(ErrorCode code, ErrorPlace place, std::string reason);
  // A text alone is a file. A literal says what it is: {.file = "config.json"}.
  template <std::same_as<std::string> File>
  Error(ErrorCode code, const File& file, std::string reason)
      : Error(code, ErrorPlace{.file = file}, std::move(reason)) {}

  ErrorCode code() const { return code_; }
  const ErrorPlace& place() const { return place_; }
  const std::string& file() const { return place_.file; }
  const std::string& where() const { return place_.where; }
  const std::string& parameter() const { return place_.parameter; }
  const std::string& reason() const { return reason_; }

  // The same error, for a catch block that knows better what it is about, or what to do.
  Error with_place(ErrorPlace place) const;
  Error with_file(std::string file) const;  // at the same position, of the same parameter
  Error with_reason(std::string reason) const;

 private:
  ErrorCode code_;
  ErrorPlace place_;
  std::string reason_;
};

// Escapes control characters and bytes that are no UTF-8 (as \n, \xNN) and cuts to `max_bytes` at
// a code point boundary with "...", for quoting user text in messages.
std::string quote_for_message(std::string_view text, size_t max_bytes = 80);

}  // namespace spanforge
