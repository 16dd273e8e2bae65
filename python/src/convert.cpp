#include "convert.h"

#include <nanobind/stl/string.h>

namespace nb = nanobind;

namespace spanforge::python {

std::string text_of(nb::handle value) {
  if (!PyUnicode_Check(value.ptr())) {
    const std::string type = nb::cast<std::string>(value.type().attr("__name__"));
    throw nb::type_error(("a text is needed, not " + type).c_str());
  }
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
  if (bytes == nullptr) throw nb::python_error();
  return {bytes, static_cast<size_t>(size)};
}

nb::object python_of(const Json& value) {
  switch (value.type()) {
    case Json::Type::kNull: return nb::none();
    case Json::Type::kBool: return nb::bool_(value.get<bool>());
    case Json::Type::kInteger: return nb::int_(value.get<int64_t>());
    case Json::Type::kUnsigned: return nb::int_(value.get<uint64_t>());
    case Json::Type::kFloat: return nb::float_(value.get<double>());
    case Json::Type::kString: {
      const std::string& text = value.as_string();
      return nb::str(text.data(), text.size());
    }
    case Json::Type::kArray: {
      nb::list list;
      for (const Json& item : value) list.append(python_of(item));
      return list;
    }
    case Json::Type::kObject: break;
  }
  nb::dict dict;
  for (const auto& [key, item] : value.items()) {
    dict[nb::str(key.data(), key.size())] = python_of(item);
  }
  return dict;
}

nb::dict python_of(const LogLine& line) {
  nb::dict dict;
  for (const auto& [key, value] : line.values) {
    dict[key.c_str()] = std::visit([](const auto& held) { return nb::cast(held); }, value);
  }
  return dict;
}

OptionTexts option_texts(const nb::dict& options) {
  OptionTexts texts;
  for (const auto& [name, values] : options) {
    std::vector<std::string>& list = texts[text_of(name)];
    for (const nb::handle value : nb::borrow<nb::list>(values)) list.push_back(text_of(value));
  }
  return texts;
}

void apply(const OptionTexts& options, app::OptionTable& table) {
  for (const auto& [name, values] : options) table.set(name, values);
}

nb::list rows_of(const app::OptionTable& table) {
  nb::list list;
  for (const app::OptionRow& row : table.rows()) {
    const bool is_boolean =
        row.kind == app::OptionKind::kBoolean || row.kind == app::OptionKind::kSwitch;
    nb::dict dict;
    dict["name"] = row.name;
    dict["aliases"] = row.alias;
    dict["help"] = row.help;
    dict["range"] = row.range;
    dict["placeholder"] = row.placeholder;
    dict["default"] = row.default_text;
    dict["kind"] = row.kind == app::OptionKind::kList ? "list" : is_boolean ? "boolean" : "value";
    dict["foreign"] = row.foreign;
    list.append(dict);
  }
  return list;
}

}  // namespace spanforge::python
