#pragma once
// What: reads SQuAD-like JSON as a stream of small objects, so that a file of any size never stands
//   in memory as one document. Objects are handed over as soon as they close, inner ones first:
//   each question, then its paragraph (without the questions), then its article.
//   A number where an answer's text should be stands as it is spelt (answer_start.h): 1.50.
// Strictness and bounds: those of base/json_reader.h, and for what is held of a row those of
//   base/json_builder.h. Keys that no form of the data knows are checked and skipped, not kept.
// Errors: Error{kBadData, file, "data[3].paragraphs[0].qas[2]"} with line and column where the text
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

// What an object is, by where it stands.
enum class RowKind {
  kDocument,   // the outermost object: {"version", "data": [...]} or a row by itself
  kRow,        // an element of "data" or of the outermost list: an article, paragraph or flat row
  kParagraph,  // an element of "paragraphs"
  kQuestion,   // an element of "qas"
};

// What the elements of an object's member are, where the member is a list of rows; nullopt: it is
// none.
std::optional<RowKind> streamed_elements(RowKind parent, std::string_view key);

// Called at the end of each object. `place` is the path of the object ("data[3].paragraphs[0]";
// empty for the document). Lists that were streamed ("data", "paragraphs", "qas") stand in `object`
// as their number of elements.
using RowCallback = std::function<void(RowKind kind, Json& object, const std::string& place)>;

// One of a file's JSON texts. base_place: "line 17" where the file is JSON lines, else "".
using TextCallback = std::function<void(std::string_view text, const std::string& base_place)>;

// Goes over the JSON texts of a file: the lines that are not blank where it is JSON lines (an
// object closes on the first line, and another opens after it), else the whole. A byte order mark
// at the start belongs to none.
void for_each_text(std::string_view file_text, const TextCallback& callback);

// Streams one JSON text. file: for messages. base_place: stands before every place ("line 17").
// extra_keys: to keep besides those of keys.h. on_read may be empty.
void stream_rows(std::string_view text, const std::string& file, const std::string& base_place,
                 const std::vector<std::string>& extra_keys, const RowCallback& callback,
                 const ReadCallback& on_read = {});

}  // namespace spanforge
