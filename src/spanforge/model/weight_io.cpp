#include "spanforge/model/weight_io.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/threads.h"
#include "spanforge/formats/safetensors.h"
#include "spanforge/io/directory_writer.h"
#include "spanforge/model/weight_names.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

static_assert(std::endian::native == std::endian::little, "weights are stored little-endian");

// Buffers of indices that older versions of transformers saved among the weights.
bool is_buffer(std::string_view name) {
  return name.ends_with("embeddings.position_ids") || name.ends_with("embeddings.token_type_ids");
}

bool holds_weights(StoredType type) {
  return type == StoredType::kF32 || type == StoredType::kF16 || type == StoredType::kBf16 ||
         type == StoredType::kF64;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ',';
    text += std::to_string(shape[i]);
  }
  return text + "]";
}

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1Fu;
  const uint32_t fraction = half & 0x3FFu;
  if (exponent == 0) {  // zero or subnormal: fraction x 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const uint32_t wide = exponent == 31 ? 0xFFu : exponent - 15 + 127;
  return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

template <class Element, class Convert>
void convert_elements(const char* bytes, int64_t count, float* out, Convert convert) {
  for (int64_t i = 0; i < count; ++i) {
    Element element;
    std::memcpy(&element, bytes + i * sizeof(Element), sizeof(Element));  // may be unaligned
    out[i] = convert(element);
  }
}

void convert_stored(StoredType type, const char* bytes, int64_t count, float* out) {
  switch (type) {
    case StoredType::kF16: return convert_elements<uint16_t>(bytes, count, out, half_to_float);
    case StoredType::kBf16: return convert_elements<bf16>(bytes, count, out, to_float);
    case StoredType::kF64:
      return convert_elements<double>(bytes, count, out,
                                      [](double x) { return static_cast<float>(x); });
    default:
      throw Error(ErrorCode::kInternal, {.where = "weights"}, "a type without weights was matched");
  }
}

}  // namespace

std::optional<std::string> misfit(const StoredTensor& stored, const Parameter& parameter,
                                  const char* says) {
  if (!holds_weights(stored.type)) {
    return stored.name + " (of type " + std::string(stored_type_name(stored.type)) + ")";
  }
  if (stored.shape == parameter.shape) return std::nullopt;
  return stored.name + " (is " + shape_text(stored.shape) + ", " + says + " says " +
         shape_text(parameter.shape) + ")";
}

// A file of another model would lack hundreds: naming the first ones is enough.
void add_complaint(std::string& reason, const std::string& what,
                   const std::vector<std::string>& items) {
  constexpr size_t kNamed = 24;
  if (items.empty()) return;
  if (!reason.empty()) reason += "; ";
  reason +=
      std::to_string(items.size()) + (items.size() == 1 ? " weight is " : " weights are ") + what;
  for (size_t i = 0; i < std::min(items.size(), kNamed); ++i) {
    reason += (i == 0 ? ": " : ", ") + items[i];
  }
  if (items.size() > kNamed) reason += " and " + std::to_string(items.size() - kNamed) + " more";
}

std::optional<std::string> weights_note(const WeightFiles& files, const WeightNames& names) {
  std::string text;
  if (!files.entry().empty()) {
    text = "the weights are in its entry \"" + quote_for_message(files.entry()) + "\"";
  }
  for (const std::string& part : names.taken_off()) {
    text += text.empty() ? "" : "; ";
    text += "\"" + quote_for_message(part) + "\" in the weights' names is removed";
  }
  if (text.empty()) return std::nullopt;
  return files.path().string() + ": " + text;
}

std::vector<StoredTensor> tensors_without_prefix(const WeightFiles& files,
                                                 std::optional<std::string>& note) {
  std::vector<StoredTensor> tensors = files.tensors();
  const EncoderSpec& spec = encoder_spec("bert", ErrorCode::kInternal, {.where = "weights"});
  if (!names_fit(tensors, spec)) return tensors;
  const WeightNames names(tensors, spec, files.path().string());
  note = weights_note(files, names);
  if (names.taken_off().empty()) return tensors;
  for (StoredTensor& tensor : tensors) tensor.name = names.clean(tensor.name);
  return tensors;
}

WeightMatch match_weights(const WeightFiles& files, const EncoderSpec& spec,
                          const ParameterTable& table, bool may_lack_head) {
  KeyedMap<std::string_view, size_t> row_of;
  for (size_t i = 0; i < table.rows.size(); ++i) row_of.emplace(table.rows[i].name, i);

  const WeightNames names(files.tensors(), spec, files.path().string());
  WeightMatch match{std::vector<const StoredTensor*>(table.rows.size()), {}};
  std::vector<std::string> twice, wrong, missing;
  for (const StoredTensor& stored : files.tensors()) {
    const std::string name = names.clean(stored.name);
    auto row = row_of.find(name);
    const std::string prefixed = std::string(spec.base_prefix) + name;
    if (row == row_of.end()) row = row_of.find(prefixed);
    if (row == row_of.end()) {
      if (!is_buffer(name)) match.report.unused.push_back(stored.name);
      continue;
    }
    const Parameter& parameter = table.rows[row->second];
    if (match.stored[row->second] != nullptr) {
      twice.push_back(parameter.name);
    } else if (auto fault = misfit(stored, parameter, "config.json")) {
      wrong.push_back(std::move(*fault));
    }
    match.stored[row->second] = &stored;
  }
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (match.stored[i] != nullptr) continue;
    if (table.rows[i].is_adapter) continue;  // no whole model has it
    const bool may_be_new = may_lack_head && i < table.head_rows;
    (may_be_new ? match.report.initialized : missing).push_back(table.rows[i].name);
  }
  std::sort(match.report.unused.begin(), match.report.unused.end());
  std::sort(match.report.initialized.begin(), match.report.initialized.end());

  std::string reason;
  add_complaint(reason, "missing", missing);
  add_complaint(reason, "misshaped", wrong);
  add_complaint(reason, "stored twice", twice);
  if (!reason.empty()) throw Error(ErrorCode::kBadModel, files.path().string(), reason);
  if (const auto note = weights_note(files, names)) match.report.notes.push_back(*note);
  return match;
}

void read_elements(const WeightFiles& files, const StoredTensor& stored, int64_t first,
                   int64_t count, float* to) {
  const size_t element = stored_size(stored.type);
  const std::string_view bytes = stored.bytes.substr(first * element, count * element);
  if (stored.type == StoredType::kF32) return files.copy(bytes, to);
  std::string copy(bytes.size(), '\0');
  files.copy(bytes, copy.data());
  convert_stored(stored.type, copy.data(), count, to);
}

void complain_of_non_finite(const WeightFiles& files,
                            const std::map<std::string, int64_t>& first_elements) {
  std::vector<std::string> items;
  for (const auto& [name, element] : first_elements) {
    items.push_back(name + " (element " + std::to_string(element) + ")");
  }
  std::string reason;
  add_complaint(reason, "not finite (NaN or Inf)", items);
  if (!reason.empty()) throw Error(ErrorCode::kBadModel, files.path().string(), reason);
}

void copy_weights(const WeightFiles& files, const WeightMatch& match, const ParameterTable& table,
                  const Tensor& arena) {
  constexpr int64_t kPiece = 1 << 18;  // elements copied by one thread at a time
  std::map<std::string, int64_t> not_finite;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const StoredTensor* stored = match.stored[i];
    if (stored == nullptr) continue;
    const Parameter& parameter = table.rows[i];
    float* out = arena.as<float>() + parameter.offset;
    parallel_for((parameter.size + kPiece - 1) / kPiece, 1, [&](int64_t piece) {
      const int64_t first = piece * kPiece;
      read_elements(files, *stored, first, std::min(kPiece, parameter.size - first), out + first);
    });
    const int64_t bad = ops::first_non_finite(make_tensor(out, 1, parameter.size));
    if (bad >= 0) not_finite.emplace(stored->name, bad);
  }
  complain_of_non_finite(files, not_finite);
}

void write_weights(DirectoryWriter& writer, const ParameterTable& table, const Tensor& arena) {
  std::vector<StoredTensor> tensors;
  for (const Parameter& parameter : table.rows) {
    const auto* data = reinterpret_cast<const char*>(arena.as<float>() + parameter.offset);
    tensors.push_back({.name = parameter.name,
                       .type = StoredType::kF32,
                       .shape = parameter.shape,
                       .bytes = {data, static_cast<size_t>(parameter.size) * sizeof(float)}});
  }
  write_safetensors(writer.create("model.safetensors"), std::move(tensors));
}

}  // namespace spanforge
