#pragma once
// What: a data file copied with some of its answers changed. Every byte that is not the text or the
//   answer_start of a changed answer stays as it is: order and spelling of keys, unknown keys,
//   numbers, white space, line ends, byte order mark.
// Memory: the changes, and a few megabytes of the file at a time.
// Errors: Error{kBadData} where the file is no longer what the dataset was read from.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/file.h"
#include "spanforge/data/dataset.h"
#include "spanforge/data/row_stream.h"

namespace spanforge {

// What an answer of an example becomes.
struct AnswerChange {
  size_t example = 0;
  size_t answer = 0;
  Answer after;
};

// A part of a file that other bytes take the place of.
struct ByteChange {
  size_t begin = 0, end = 0;
  std::string bytes;
};

// Where and how the file's text changes, in order. REQUIRES: dataset was read from it. A text is
// written with \u escapes where the whole file is ASCII. on_read: as in row_stream.h; may be empty.
std::vector<ByteChange> find_byte_changes(std::string_view file_text, const Dataset& dataset,
                                          const std::vector<AnswerChange>& changes,
                                          const ReadCallback& on_read = {});

// Writes the changed file; out.commit() is the caller's.
void write_changed(const MappedFile& file, const std::vector<ByteChange>& changes, AtomicFile& out);

}  // namespace spanforge
