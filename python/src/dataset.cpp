#include "dataset.h"

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "bindings.h"
#include "call.h"
#include "convert.h"
#include "spanforge/base/hash.h"
#include "spanforge/data/column_names.h"
#include "spanforge/data/keys.h"
#include "spanforge/io/file.h"
#include "spanforge/io/input_file.h"

namespace nb = nanobind;

namespace spanforge::python {
namespace {

HeldDataset hold(Dataset dataset, std::string sha256) {
  return {std::make_shared<const Dataset>(std::move(dataset)), std::move(sha256)};
}

HeldDataset read_file(const std::string& file, const std::string& columns,
                      const std::string& encoding) {
  const Call call;
  const MappedFile mapped = map_input(file);
  std::string sha256 = sha256_hex(mapped.bytes());
  return hold(read_dataset(mapped, {encoding, parse_columns(columns)}), std::move(sha256));
}

HeldDataset read_text(nb::str text, const std::string& name, const std::string& columns) {
  const std::string bytes = text_of(text);
  const Call call;
  return hold(read_dataset_text(bytes, name, {"", parse_columns(columns)}), sha256_hex(bytes));
}

// As a row of `datasets`' squad.
nb::dict row(const HeldDataset& held, size_t index) {
  const Example& example = held.data->examples.at(index);
  nb::list texts, starts;
  for (const Answer& answer : example.answers) {
    texts.append(answer.text);
    starts.append(answer.answer_start);
  }
  nb::dict answers, dict;
  answers["text"] = texts;
  answers["answer_start"] = starts;
  dict["id"] = example.id;
  dict["title"] = example.title;
  dict["context"] = held.data->context_of(example);
  dict["question"] = example.question;
  dict["answers"] = answers;
  return dict;
}

nb::list faults(const HeldDataset& held) {
  nb::list list;
  for (const RowFault& fault : held.data->faults) {
    nb::dict dict;
    dict["kind"] = std::string(fault_name(fault.kind));
    dict["place"] = fault.place;
    dict["id"] = fault.id;
    dict["reason"] = fault.reason;
    list.append(dict);
  }
  return list;
}

nb::list notes(const HeldDataset& held) {
  nb::list list;
  for (const std::string& line : held.data->notes) list.append(line);
  return list;
}

void save(const HeldDataset& held, const std::string& file) {
  const Call call;
  save_squad(*held.data, AtomicFile(file));
}

nb::list id_keys() {
  nb::list list;
  for (const std::string_view key : keys::kId) list.append(std::string(key));
  return list;
}

}  // namespace

void bind_dataset(nb::module_& module) {
  module.def("id_keys", id_keys);
  nb::class_<HeldDataset>(module, "Dataset")
      .def_static("read_file", read_file, nb::arg("file"), nb::arg("columns"), nb::arg("encoding"))
      .def_static("read_text", read_text, nb::arg("text"), nb::arg("name"), nb::arg("columns"))
      .def("__len__", [](const HeldDataset& held) { return held.data->examples.size(); })
      .def("row", row, nb::arg("index"))
      .def("faults", faults)
      .def("notes", notes)
      .def("save", save, nb::arg("file"))
      .def("blind", [](const HeldDataset& held) { return held.data->blind; })
      .def("name", [](const HeldDataset& held) { return held.data->file.string(); })
      .def("context_count", [](const HeldDataset& held) { return held.data->contexts.size(); });
}

}  // namespace spanforge::python
