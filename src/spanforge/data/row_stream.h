#pragma once
// What: reads SQuAD-like JSON as a stream of small objects, so that a large file is never whole in
//   memory. Each object is passed to the callback when it closes, inner ones first: a question,
//   then its paragraph (without the questions), then its article. A number in place of an answer's
//   text keeps its spelling (answer_start.h): 1.50.
// Limits: those of base/json_reader.h, and of base/json_builder.h for each row. Unknown keys are
//   checked and skipped.
// Errors: Error{kBadData, file, "data[3].paragraphs[0].qas[2]"}, with line and column if the text
//   is not JSON.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "spanforge/base/json.h"
#include "spanforge/base/json_reader.h"

namespace spanforge {

// The kind of an object, by its place.
enum class RowKind {
  kDocument,   // the outermost object: {"version", "data": [...]} or the only row
  kRow,        // an element of "data" or of the outermost list: an article, paragraph or flat row
  kParagraph,  // an element of "paragraphs"
  kQuestion,   // an element of "qas"
};

// The kind of the elements of an object's member; nullopt: the member is not a list of rows.
std::optional<RowKind> streamed_elements(RowKind parent, std::string_view key);

// Called at the end of each object. place: the path of the object ("data[3].paragraphs[0]"; "" for
// the document). In `object`, a list that was streamed ("data", "paragraphs", "qas") is replaced by
// its number of elements.
using RowCallback = std::function<void(RowKind kind, Json& object, const std::string& place)>;

// One of a file's JSON texts. base_place: "line 17" if the file is JSON lines, else "".
using TextCallback = std::function<void(std::string_view text, const std::string& base_place)>;

// Calls back for each JSON text of a file: for each line that is not blank if the file is JSON
// lines (an object closes on the first line, and another opens after it), else for the whole file.
// Skips a byte order mark at the start.
void for_each_text(std::string_view file_text, const TextCallback& callback);

// Streams one JSON text. file: for messages. base_place: a prefix of every place ("line 17").
// extra_keys: keys to keep in addition to those of keys.h. on_read may be empty.
void stream_rows(std::string_view text, const std::string& file, const std::string& base_place,
                 const std::vector<std::string>& extra_keys, const RowCallback& callback,
                 const ReadCallback& on_read = {});

}  // namespace spanforge
