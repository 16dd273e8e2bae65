// Driver of oracle_formats.py: converts between files and a plain JSON description of their
// content, so that the reference packages can read the same files.
//   formats_driver describe-torch FILE          JSON: values; tensors as type, shape, sha256
//   formats_driver describe-safetensors FILE    JSON: tensors, metadata
//   formats_driver describe-weights DIR         JSON: tensors
//   formats_driver rewrite-torch FILE OUT       reads and writes a torch file
//   formats_driver rewrite-safetensors FILE OUT
//   formats_driver write-events DIR             a fixed set of scalars and texts; prints the path
//   formats_driver python-json                  standard input: JSON; prints dumps, str, repr
//   formats_driver torch-random                 seeds and sizes: randperm and generator states

#include <iostream>
#include <iterator>
#include <string>

#include "spanforge/base/hash.h"
#include "spanforge/base/json.h"
#include "spanforge/base/random.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/formats/tfevents.h"
#include "spanforge/formats/torch_file.h"
#include "spanforge/formats/weights.h"
#include "spanforge/io/file.h"

namespace {

using namespace spanforge;

Json describe_tensor(StoredType type, const std::vector<int64_t>& shape, std::string_view bytes) {
  return {{"type", stored_type_name(type)}, {"shape", shape}, {"sha256", sha256_hex(bytes)}};
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (unsigned char c : bytes) {
    out += "0123456789abcdef"[c >> 4];
    out += "0123456789abcdef"[c & 15];
  }
  return out;
}

Json describe(const TorchValue& value);

Json describe_all(const TorchList& items) {
  Json out = Json::array();
  for (const TorchValue& item : items) out.push_back(describe(item));
  return out;
}

// Every value as [kind, content], to distinguish tuple from list and int from float.
Json describe(const TorchValue& value) {
  if (value.is_none()) return {"none"};
  if (const auto* v = value.get_if<bool>()) return {"bool", *v};
  if (const auto* v = value.get_if<int64_t>()) return {"int", *v};
  if (const auto* v = value.get_if<double>()) return {"float", python_repr(*v)};
  if (const auto* v = value.get_if<std::string>()) return {"str", *v};
  if (const auto* v = value.get_if<TorchBytes>()) return {"bytes", hex(v->bytes)};
  if (const auto* v = value.get_if<TorchList>()) return {"list", describe_all(*v)};
  if (const auto* v = value.get_if<TorchTuple>()) return {"tuple", describe_all(v->items)};
  if (const auto* v = value.get_if<TorchTensor>()) {
    return {"tensor", describe_tensor(v->type, v->shape, v->bytes)};
  }
  Json items = Json::array();
  for (const auto& [key, member] : value.get_if<TorchDict>()->items) {
    items.push_back(Json::array({describe(key), describe(member)}));
  }
  return {"dict", items};
}

Json describe_tensors(const std::vector<StoredTensor>& tensors) {
  Json out = Json::object();
  for (const StoredTensor& t : tensors) out[t.name] = describe_tensor(t.type, t.shape, t.bytes);
  return out;
}

void write_events(const fs::path& directory) {
  EventWriter writer = EventWriter::create(directory);
  writer.add_scalar("train/loss", 0.5, 1, 1000.25);
  writer.add_scalar("zero", 0.0, 0, 1000.5);
  writer.add_scalar("eval/f1", 1e-30, 12, 1001);
  writer.add_scalar("qa_rank/问题-1", -3.25, 12, 1001);
  writer.add_text("qa_debug/问题-1", "Answer: <答案> (Rank: 2)", 12, 1002);
  writer.add_text("empty", "", 13, 1003);
  writer.flush();
  const uint64_t offset = writer.offset();
  writer.add_scalar("lost", 1, 14, 1004);
  writer.flush();
  EventWriter again = EventWriter::reopen(writer.path(), offset);
  again.add_scalar("after", 7, 15, 1005);
  again.flush();
  std::cout << writer.path().string() << "\n";
}

void answer_python_json() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  for (const Json& value : parse_json(text, "stdin", ErrorCode::kBadData)) {
    Json out;
    out["dumps"] = dump_python_json(value);
    out["indented"] = dump_python_json(value, {.indent = 2, .sort_keys = true});
    out["raw"] = dump_python_json(value, {.ensure_ascii = false});
    out["str"] = python_str(value);
    std::cout << out.dump() << "\n";
  }
}

void answer_torch_random() {
  Json out = Json::array();
  for (const uint64_t seed : {uint64_t{0}, uint64_t{42}, uint64_t{1} << 40, ~uint64_t{0} >> 1}) {
    for (const int64_t n : {0, 1, 2, 3, 90, 625, 1000, 5000}) {
      out.push_back({{"seed", seed}, {"n", n}, {"order", torch_randperm(n, seed)}});
    }
    for (const int draws : {0, 1, 623, 624, 625, 2000}) {
      TorchGenerator generator(seed);
      for (int i = 0; i < draws; ++i) generator.next_u32();
      out.push_back({{"seed", seed}, {"draws", draws}, {"state", hex(generator.state_bytes())}});
    }
  }
  std::cout << out.dump() << "\n";
}

int run(const std::string& command, const std::string& a, const std::string& b) {
  if (command == "describe-torch") {
    std::cout << describe(TorchFile(a).root()).dump() << "\n";
  } else if (command == "describe-safetensors") {
    const SafetensorsFile file(a);
    std::cout
        << Json{{"tensors", describe_tensors(file.tensors())}, {"metadata", file.metadata()}}.dump()
        << "\n";
  } else if (command == "describe-weights") {
    std::cout << describe_tensors(WeightFiles(a).tensors()).dump() << "\n";
  } else if (command == "rewrite-torch") {
    write_torch_file(AtomicFile(b), TorchFile(a).root());
  } else if (command == "rewrite-safetensors") {
    const SafetensorsFile file(a);
    write_safetensors(AtomicFile(b), file.tensors(), file.metadata());
  } else if (command == "write-events") {
    write_events(a);
  } else if (command == "python-json") {
    answer_python_json();
  } else if (command == "torch-random") {
    answer_torch_random();
  } else {
    return 2;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : "");
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return exit_code(error.code());
  }
}
