#pragma once
// What: a data file copied with some parts of its questions changed. Every byte that is no such
// part
//   stays as it is: order and spelling of keys, unknown keys, numbers, white space, line ends, byte
//   order mark. A start that is missing is written behind its text.
// Forms: all that load.cpp reads from JSON, under the names of keys.h.
// Memory: the changes, and a few megabytes of the file at a time.
// Errors: Error{kBadData} where the file is no longer what the dataset was read from.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"
#include "spanforge/io/file.h"

namespace spanforge {

// What a part of an example becomes.
struct RowChange {
  enum class Part {
    kAnswer,     // text and start
    kId,         // a number stays one where the new id is one
    kFlag,       // is_impossible: true or false, as the dataset has it
    kNoAnswers,  // the answers become an empty list
  };
  size_t example = 0;
  size_t answer = 0;  // which of the example's answers
  Answer after;       // kAnswer
  Part part = Part::kAnswer;
  std::string id;  // kId
};

// A part of a file that other bytes take the place of; never empty.
struct ByteChange {
  size_t begin = 0, end = 0;
  std::string bytes;
};

// Where and how the file's text changes, in order. REQUIRES: dataset was read from it, with these
// options. A text is written with \u escapes where the whole file is ASCII. on_read: as in
// row_stream.h; may be empty.
std::vector<ByteChange> find_byte_changes(std::string_view file_text, const Dataset& dataset,
                                          const std::vector<RowChange>& changes,
                                          const ReadCallback& on_read = {},
                                          const ReadOptions& options = {});

// Writes the changed file; out.commit() is the caller's.
void write_changed(const MappedFile& file, const std::vector<ByteChange>& changes, AtomicFile& out);

}  // namespace spanforge
