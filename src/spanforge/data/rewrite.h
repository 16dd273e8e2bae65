#pragma once
// What: copies a data file and changes some parts of its questions. All other bytes stay as they
//   are: order and spelling of keys, unknown keys, numbers, white space, line ends, byte order
//   mark. A missing start is written after its text.
// Forms: all that load.cpp reads from JSON, under the names of keys.h.
// Memory: the changes, and a few megabytes of the file at a time.
// Errors: Error{kBadData} if the file changed after the dataset was read.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"
#include "spanforge/io/file.h"

namespace spanforge {

// The new value for a part of an example.
struct RowChange {
  enum class Part {
    kAnswer,     // text and start
    kId,         // a number stays a number if the new id is one
    kFlag,       // is_impossible: true or false, as the dataset has it
    kNoAnswers,  // the answers become an empty list
  };
  size_t example = 0;
  size_t answer = 0;  // index into the example's answers
  Answer after;       // kAnswer
  Part part = Part::kAnswer;
  std::string id;  // kId
};

// A part of a file and the bytes that replace it. Never changes nothing.
struct ByteChange {
  size_t begin = 0, end = 0;
  std::string bytes;
};

// The changes of the file's text, in order. REQUIRES: dataset was read from it, with these options.
// Texts are written with \u escapes if the whole file is ASCII. on_read: see row_stream.h; may be
// empty.
std::vector<ByteChange> find_byte_changes(std::string_view file_text, const Dataset& dataset,
                                          const std::vector<RowChange>& changes,
                                          const ReadCallback& on_read = {},
                                          const ReadOptions& options = {});

// Writes the changed file. The caller calls out.commit().
void write_changed(const MappedFile& file, const std::vector<ByteChange>& changes, AtomicFile& out);

}  // namespace spanforge
