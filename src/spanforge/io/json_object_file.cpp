#include "spanforge/io/json_object_file.h"

#include <utility>

namespace spanforge {
namespace {

const PythonJsonStyle kStyle{.indent = 4};

// The text between the brackets of an object or list that is not empty.
std::string_view inside(std::string_view text) {
  text.remove_prefix(text.find_first_of("{[") + 1);
  return text.substr(0, text.find_last_of("\n"));
}

// The text of one element of a list that is a member of an object.
std::string element_text(const Json& element) {
  const std::string object = dump_python_json({{"", Json::array({element})}}, kStyle);
  return std::string(inside(inside(object)));
}

}  // namespace

JsonObjectFile::JsonObjectFile(AtomicFile file) : file_(std::move(file)) { file_.write("{"); }

void JsonObjectFile::write_member(std::string_view text) {
  if (!empty_) file_.write(",");
  empty_ = false;
  file_.write(text);
}

void JsonObjectFile::add(const std::string& key, const Json& value) {
  Json object = Json::object();
  object[key] = value;
  write_member(inside(dump_python_json(object, kStyle)));
}

void JsonObjectFile::add_list(const std::string& key,
                              const std::function<std::optional<Json>()>& next) {
  Json object = Json::object();
  object[key] = Json::array();
  std::string text(inside(dump_python_json(object, kStyle)));
  text.pop_back();  // "]"
  write_member(text);
  bool empty = true;
  while (const std::optional<Json> element = next()) {
    if (!empty) file_.write(",");
    empty = false;
    file_.write(element_text(*element));
  }
  file_.write(empty ? "]" : "\n    ]");
}

void JsonObjectFile::commit() {
  file_.write(empty_ ? "}\n" : "\n}\n");
  file_.commit();
}

}  // namespace spanforge
