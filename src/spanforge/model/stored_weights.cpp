#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "spanforge/base/keyed_hash.h"
#include "spanforge/model/answering_weights.h"
#include "spanforge/model/weight_io.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

class StoredWeights : public AnsweringWeights {
 public:
  StoredWeights(const std::filesystem::path& directory, const std::string& source,
                const EncoderSpec& spec, const ParameterTable& table)
      : files_(directory),
        table_(table),
        match_(match_weights(files_, spec, table, /*may_lack_head=*/true)) {
    if (!match_.report.initialized.empty()) {
      throw Error(ErrorCode::kBadModel, source,
                  "has no question-answering head (" + std::string(spec.head.output) +
                      "); fine-tune it first with spanforge train");
    }
    for (size_t i = 0; i < table.rows.size(); ++i) row_at_.emplace(table.rows[i].offset, i);
  }

  void expect_whole() const override { files_.expect_whole(); }

  const LoadReport& build(Precision precision) {
    parts = map_parts<Tensor, ops::PackedLinear>(
        table_.parts,
        [&](const Slot& slot) {
          return slot.rows > 1 ? matrix(row_at_.at(slot.offset)) : vector(slot);
        },
        [&](const LinearPart<Slot>& layer, size_t, BlockLinear) {
          return linear(layer, precision);
        });
    complain_of_non_finite(files_, not_finite_);
    return match_.report;
  }

 private:
  // The rows of the parameter table that make up a slot: one, or query, key and value.
  std::vector<size_t> rows_of(const Slot& slot) const {
    std::vector<size_t> rows;
    int64_t offset = slot.offset;
    while (offset < slot.offset + slot.rows * slot.cols) {
      rows.push_back(row_at_.at(offset));
      offset += table_.rows[rows.back()].size;
    }
    return rows;
  }

  void note_non_finite(size_t row, int64_t element) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [known, fresh] = not_finite_.emplace(match_.stored[row]->name, element);
    if (!fresh) known->second = std::min(known->second, element);
  }
  void check(size_t row, int64_t first, float* data, int64_t count) {
    const int64_t bad = ops::first_non_finite(make_tensor(data, 1, count));
    if (bad >= 0) note_non_finite(row, first + bad);
  }

  float* memory(int64_t elements) {
    owned_.push_back(allocate_aligned(static_cast<size_t>(elements) * sizeof(float)));
    return reinterpret_cast<float*>(owned_.back().get());
  }

  // A parameter in the mapped file, or a converted copy.
  Tensor matrix(size_t row) {
    const Parameter& parameter = table_.rows[row];
    const StoredTensor& stored = *match_.stored[row];
    const auto address = reinterpret_cast<uintptr_t>(stored.bytes.data());
    const bool in_place = stored.type == StoredType::kF32 && address % alignof(float) == 0;
    float* data = nullptr;
    if (in_place) {
      // Tensors have no constness, but nothing writes through this one.
      data = reinterpret_cast<float*>(const_cast<char*>(stored.bytes.data()));
    } else {
      data = memory(parameter.size);
      read_elements(files_, stored, 0, parameter.size, data);
    }
    check(row, 0, data, parameter.size);
    return make_tensor(data, parameter.shape.size() == 1 ? 1 : parameter.shape.front(),
                       parameter.shape.back());
  }

  Tensor vector(const Slot& slot) {
    if (slot.empty()) return {};
    float* const data = memory(slot.cols);
    int64_t filled = 0;
    for (const size_t row : rows_of(slot)) {
      const int64_t size = table_.rows[row].size;
      read_elements(files_, *match_.stored[row], 0, size, data + filled);
      check(row, 0, data + filled, size);
      filled += size;
    }
    return make_tensor(data, 1, slot.cols);
  }

  ops::PackedLinear linear(const LinearPart<Slot>& slots, Precision precision) {
    const std::vector<size_t> rows = rows_of(slots.weight);
    const Tensor bias = vector(slots.bias);
    if (precision == Precision::kF32) {
      std::vector<Tensor> weights;
      for (const size_t row : rows) weights.push_back(matrix(row));
      return ops::PackedLinear::f32(std::move(weights), bias);
    }
    const int64_t cols = slots.weight.cols;
    const int64_t height = table_.rows[rows.front()].shape.front();  // of each of them
    return ops::PackedLinear::bf16(
        slots.weight.rows, cols,
        [&](int64_t first, int64_t count, float* to) {
          while (count > 0) {
            const size_t row = rows[static_cast<size_t>(first / height)];
            const int64_t begin = first % height;
            const int64_t take = std::min(count, height - begin);
            read_elements(files_, *match_.stored[row], begin * cols, take * cols, to);
            check(row, begin * cols, to, take * cols);
            first += take;
            count -= take;
            to += take * cols;
          }
        },
        bias);
  }

  WeightFiles files_;
  const ParameterTable& table_;  // used while building only
  WeightMatch match_;
  KeyedMap<int64_t, size_t> row_at_;  // by offset
  std::vector<AlignedBytes> owned_;
  std::mutex mutex_;
  std::map<std::string, int64_t> not_finite_;  // first bad element of each
};

}  // namespace

std::unique_ptr<AnsweringWeights> load_stored_weights(const std::filesystem::path& directory,
                                                      const std::string& source,
                                                      const EncoderSpec& spec,
                                                      const ParameterTable& table,
                                                      Precision precision, LoadReport* report) {
  auto weights = std::make_unique<StoredWeights>(directory, source, spec, table);
  const LoadReport found = weights->build(precision);
  if (report != nullptr) *report = found;
  return weights;
}

}  // namespace spanforge
