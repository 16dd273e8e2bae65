#pragma once
// JSON in and out. Parsing is strict about what a stranger's file may do: UTF-8 must be valid, a
// lone surrogate escape is refused, nesting is limited to 64, a key twice in one object is refused.
// Writing can follow Python's json.dumps to the byte, for files another tool compares or sorts.
// Key order is kept (ordered_json), which SQuAD-like files and run_qa's outputs rely on.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "spanforge/base/error.h"

namespace spanforge {

using Json = nlohmann::ordered_json;

// place: how messages name the text, usually the file. Errors: Error{code, place} with line and
// column and what was expected.
Json parse_json(std::string_view text, const std::string& place, ErrorCode code);
// The text is line `line` of the file.
Json parse_json_line(std::string_view text, const std::string& file, size_t line, ErrorCode code);
// times_size: what the tree may take, in sizes of the file (and 32 MB besides).
Json parse_json_file(const std::filesystem::path& path, ErrorCode code, int times_size = 1);

// Adds a member behind the others. REQUIRES: its key is new. (The object's own insertion looks each
// key up from the first: n * n steps for n members.)
void append_member(Json& object, std::string key, Json value);

struct PythonJsonStyle {
  int indent = -1;           // as json.dumps(indent=...): -1 is None
  bool sort_keys = false;
  bool ensure_ascii = true;  // \uXXXX for everything above U+007F
};
// json.dumps of Python 3, to the byte: separators, float repr, NaN / Infinity, escapes.
std::string dump_python_json(const Json& value, const PythonJsonStyle& style = {});

// A list whose values are made while they are written, so that a long one never is a tree.
struct JsonList {
  std::string_view key;
  size_t size = 0;
  std::function<Json(size_t)> value;
};
// The same, where the object's member `list.key`, whatever it holds, is that list.
std::string dump_python_json(const Json& object, const PythonJsonStyle& style,
                             const JsonList& list);

// repr(float) of Python 3: shortest digits that read back; "1e-05", "0.0001", "1e+16", "inf", "nan".
std::string python_repr(double value);
// repr(str) of Python 3: single quotes unless the text holds one and no double quote.
std::string python_repr(std::string_view text);
// str(value) of a Python dict/list/scalar: {'loss': 0.1, 'flag': True, 'none': None}.
std::string python_str(const Json& value);

}  // namespace spanforge
