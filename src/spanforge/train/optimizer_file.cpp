#include "spanforge/train/optimizer_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <fmt/core.h>

#include "spanforge/base/join.h"
#include "spanforge/base/keyed_hash.h"
#include "spanforge/base/random.h"
#include "spanforge/formats/torch_file.h"

namespace spanforge {
namespace {

static_assert(std::endian::native == std::endian::little, "the files hold little-endian numbers");

template <class T>
std::string_view bytes_of(const T* data, int64_t count) {
  return {reinterpret_cast<const char*>(data), static_cast<size_t>(count) * sizeof(T)};
}

// Decaying parameters first: HF's two groups, concatenated, each in the order of torch's
// named_parameters().
std::vector<const Parameter*> optimizer_order(const Optimizer& optimizer) {
  std::vector<const Parameter*> order;
  for (const TrainedParameter& trained : optimizer.parameters()) order.push_back(trained.row);
  std::sort(order.begin(), order.end(), [](const Parameter* a, const Parameter* b) {
    return a->module_index < b->module_index;
  });
  std::stable_partition(order.begin(), order.end(), [](const Parameter* p) { return p->decays; });
  return order;
}

int64_t count_decaying(const std::vector<const Parameter*>& order) {
  return std::count_if(order.begin(), order.end(), [](const Parameter* p) { return p->decays; });
}

TorchDict dict(std::initializer_list<std::pair<const char*, TorchValue>> items) {
  TorchDict result;
  for (const auto& [key, value] : items) result.items.emplace_back(TorchValue(key), value);
  return result;
}

TorchValue parameter_group(const Optimizer& optimizer, const TrainingArguments& arguments,
                           double weight_decay, double rate, int64_t first, int64_t last) {
  TorchDict group = dict({{"weight_decay", weight_decay}, {"lr", rate}});
  for (const GroupSetting& setting : optimizer.settings()) {
    group.items.emplace_back(TorchValue(setting.name), setting.value);
  }
  group.items.emplace_back(TorchValue("initial_lr"), *arguments.learning_rate);
  TorchList indices;
  for (int64_t i = first; i < last; ++i) indices.emplace_back(i);
  group.items.emplace_back(TorchValue("params"), std::move(indices));
  return group;
}

// A parameter's part of a slot, in the slot's storage.
TorchTensor part_tensor(const OptimizerState::Array& array, const OptimizerState::Part& part) {
  const auto* all = reinterpret_cast<const float*>(array.memory.data());
  return {.type = StoredType::kF32,
          .shape = part.shape,
          .bytes = bytes_of(all + part.offset, part.size),
          .storage = {reinterpret_cast<const char*>(array.memory.data()), array.memory.size()}};
}

const TorchList* groups_of(const TorchValue& root) {
  const TorchValue* groups = root.find("param_groups");
  return groups != nullptr ? groups->sequence() : nullptr;
}

// Compares settings: None, bools, numbers and tuples of them.
bool same_setting(const TorchValue& one, const TorchValue& other) {
  const TorchList *items = one.sequence(), *others = other.sequence();
  if (items != nullptr || others != nullptr) {
    return items != nullptr && others != nullptr &&
           std::equal(items->begin(), items->end(), others->begin(), others->end(), same_setting);
  }
  if (one.is_none() || other.is_none()) return one.is_none() && other.is_none();
  return one.number().has_value() && one.number() == other.number();
}

class OptimizerReader {
 public:
  OptimizerReader(const std::filesystem::path& file, const TrainableModel& model,
                  const Optimizer& optimizer, int64_t global_step)
      : place_(file.string()),
        file_(file),
        order_(optimizer_order(optimizer)),
        optimizer_(optimizer),
        step_(global_step) {}

  OptimizerState read(std::vector<ElementRange> held) {
    check_groups();
    OptimizerState state = optimizer_.new_state(std::move(held));
    const TorchValue* entries = file_.root().find("state");
    if (entries == nullptr || entries->get_if<TorchDict>() == nullptr) refuse("has no 'state'");
    for (size_t i = 0; i < order_.size(); ++i) {
      const TorchValue* entry = entries->find(static_cast<int64_t>(i));
      if (entry == nullptr) {
        if (optimizer_.step_form() == StepForm::kNone && state.arrays().empty()) continue;
        refuse(fmt::format("has no state of parameter {} ({})", i, order_[i]->name));
      }
      if (optimizer_.step_form() != StepForm::kNone) check_step(*entry, i);
      for (const OptimizerState::Array& array : state.arrays()) copy(*entry, i, state, array);
      check_keys(*entry, i, state);
    }
    return state;
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::kBadModel, place_, why);
  }

  // The file must be this optimiser's, with two groups of as many parameters as ours. Otherwise
  // its numbers would mean other parameters.
  void check_groups() const {
    const std::string_view kind = optimizer_of_file(file_.root(), place_);
    if (!same_optimizer(kind, optimizer_.name())) {
      refuse(fmt::format("holds the state of {}, not of {}", kind, optimizer_.name()));
    }
    const TorchList* list = groups_of(file_.root());
    if (list == nullptr || list->size() != 2) refuse("'param_groups' is not a list of two groups");
    for (const TorchValue& group : *list) check_settings(group);
    const int64_t decaying = count_decaying(order_);
    const int64_t expected[] = {decaying, static_cast<int64_t>(order_.size()) - decaying};
    for (size_t g = 0; g < 2; ++g) {
      const TorchValue* params = (*list)[g].find("params");
      const TorchList* indices = params != nullptr ? params->sequence() : nullptr;
      if (indices == nullptr) refuse(fmt::format("group {} has no list 'params'", g));
      const auto count = static_cast<int64_t>(indices->size());
      if (count != expected[g]) {
        refuse(fmt::format("group {} has {} parameters, this model has {}", g, count, expected[g]));
      }
    }
  }

  void check_settings(const TorchValue& group) const {
    for (const GroupSetting& setting : optimizer_.settings()) {
      const TorchValue* found = group.find(setting.name);
      if (!setting.is_fixed || found == nullptr || same_setting(*found, setting.value)) continue;
      refuse(fmt::format("'{}' of its 'param_groups' is not that of `optim` {}", setting.name,
                         optimizer_.name()));
    }
  }

  void check_step(const TorchValue& entry, size_t index) const {
    const TorchValue* value = entry.find("step");
    const auto found = value != nullptr ? value->number() : std::nullopt;
    if (found != static_cast<double>(step_)) {
      refuse(fmt::format("parameter {} has seen {} steps, trainer_state.json says {}", index,
                         found ? fmt::format("{}", *found) : "no", step_));
    }
  }

  // An error, because state that is not used would be lost silently.
  void check_keys(const TorchValue& entry, size_t index, const OptimizerState& state) const {
    const TorchDict* items = entry.get_if<TorchDict>();
    if (items == nullptr) refuse(fmt::format("the state of parameter {} is not a dict", index));
    const auto is_known = [&](const TorchValue& key) {
      const auto* name = key.get_if<std::string>();
      if (name == nullptr) return false;
      if (*name == "step") return optimizer_.step_form() != StepForm::kNone;
      return std::any_of(state.arrays().begin(), state.arrays().end(), [&](const auto& array) {
        return array.slot.name == *name && array.part_of(*order_[index]) != nullptr;
      });
    };
    for (const auto& [key, value] : items->items) {
      if (is_known(key)) continue;
      const auto* name = key.get_if<std::string>();
      refuse(fmt::format("parameter {} has a state that is not used here{}", index,
                         name != nullptr ? fmt::format(", '{}'", quote_for_message(*name)) : ""));
    }
  }

  void copy(const TorchValue& entry, size_t index, const OptimizerState& state,
            const OptimizerState::Array& array) const {
    const Parameter& parameter = *order_[index];
    const OptimizerState::Part* part = array.part_of(parameter);
    if (part == nullptr) return;
    const TorchValue* value = entry.find(array.slot.name);
    const TorchTensor* tensor = value != nullptr ? value->get_if<TorchTensor>() : nullptr;
    if (tensor == nullptr || tensor->type != StoredType::kF32 || tensor->shape != part->shape) {
      std::vector<std::string> extents;
      for (const int64_t extent : part->shape) extents.push_back(std::to_string(extent));
      refuse(fmt::format("{} of parameter {} ({}) is not a float32 tensor of shape [{}]",
                         array.slot.name, index, parameter.name, join(extents, ",")));
    }
    float* const to = reinterpret_cast<float*>(array.memory.data()) + part->offset;
    if (!array.slot.cuts_anywhere) return copy(tensor->bytes, to);
    const int64_t begin = parameter.offset;
    state.for_held(begin, begin + part->size, [&](const ElementRange& held) {
      const auto at = static_cast<size_t>(held.begin - begin);
      copy(tensor->bytes.substr(at * sizeof(float),
                                static_cast<size_t>(held.size()) * sizeof(float)),
           to + at);
    });
  }

  void copy(std::string_view bytes, float* to) const {
    if (file_.file().holds(bytes)) {
      file_.file().copy(bytes, to);  // the file may be truncated meanwhile
    } else {
      std::memcpy(to, bytes.data(), bytes.size());
    }
  }

  std::string place_;
  TorchFile file_;
  std::vector<const Parameter*> order_;
  const Optimizer& optimizer_;
  const int64_t step_;
};

// The state after seeding MT19937 with one number (Knuth's recurrence).
std::array<uint32_t, 624> mersenne_state(uint32_t seed) {
  std::array<uint32_t, 624> words;
  words[0] = seed;
  for (uint32_t i = 1; i < words.size(); ++i) {
    words[i] = 1812433253u * (words[i - 1] ^ (words[i - 1] >> 30)) + i;
  }
  return words;
}

}  // namespace

void write_optimizer_file(AtomicFile file, const TrainableModel& model, const Optimizer& optimizer,
                          const OptimizerState& state, const TrainingArguments& arguments,
                          int64_t global_step, double next_rate) {
  const std::vector<const Parameter*> order = optimizer_order(optimizer);
  const StepForm form = optimizer.step_form();
  // One number per parameter: torch increments each in place, so each has its own storage.
  const std::vector<float> steps(order.size(), static_cast<float>(global_step));
  TorchDict entries;
  for (size_t i = 0; i < order.size() && global_step > 0; ++i) {
    TorchDict entry;
    if (form == StepForm::kInteger) entry.add("step", global_step);
    if (form == StepForm::kFloatTensor) {
      entry.add(
          "step",
          TorchTensor{.type = StoredType::kF32, .shape = {}, .bytes = bytes_of(&steps[i], 1)});
    }
    for (const OptimizerState::Array& array : state.arrays()) {
      if (const auto* part = array.part_of(*order[i])) {
        entry.add(array.slot.name, part_tensor(array, *part));
      }
    }
    if (!entry.items.empty()) entries.add(static_cast<int64_t>(i), std::move(entry));
  }
  const int64_t decaying = count_decaying(order), all = static_cast<int64_t>(order.size());
  TorchList groups;
  groups.push_back(
      parameter_group(optimizer, arguments, arguments.weight_decay, next_rate, 0, decaying));
  groups.push_back(parameter_group(optimizer, arguments, 0.0, next_rate, decaying, all));
  write_torch_file(std::move(file),
                   dict({{"state", std::move(entries)}, {"param_groups", std::move(groups)}}));
}

OptimizerState read_optimizer_file(const std::filesystem::path& file, const TrainableModel& model,
                                   const Optimizer& optimizer, int64_t global_step,
                                   std::vector<ElementRange> held) {
  return OptimizerReader(file, model, optimizer, global_step).read(std::move(held));
}

std::string_view optimizer_of_file(const TorchValue& root, const std::string& place) {
  const TorchList* groups = groups_of(root);
  for (const OptimizerKind& kind : optimizer_kinds()) {
    if (groups != nullptr && !groups->empty() && groups->front().find(kind.mark) != nullptr) {
      return kind.name;
    }
  }
  throw Error(ErrorCode::kBadModel, place,
              fmt::format("its 'param_groups' belong to no optimizer of `optim` ({})",
                          choices<OptimizerName>()));
}

void write_scheduler_file(AtomicFile file, const TrainingArguments& arguments, int64_t global_step,
                          double next_rate) {
  const auto twice = [](TorchValue value) { return TorchList{value, value}; };
  write_torch_file(std::move(file), dict({{"base_lrs", twice(*arguments.learning_rate)},
                                          {"last_epoch", global_step},
                                          {"_step_count", global_step + 1},
                                          {"_is_initial", false},
                                          {"_get_lr_called_within_step", false},
                                          {"_last_lr", twice(next_rate)},
                                          {"lr_lambdas", twice(TorchDict{})}}));
}

void write_rng_file(AtomicFile file, uint64_t seed) {
  const std::array<uint32_t, 624> words = mersenne_state(static_cast<uint32_t>(seed));
  const std::string torch_state = TorchGenerator(seed).state_bytes();
  TorchList keys(words.begin(), words.end());
  TorchTuple python_words{keys};
  python_words.items.emplace_back(624);  // all used up: the next number makes new ones
  const TorchTensor cpu{.type = StoredType::kU8,
                        .shape = {static_cast<int64_t>(torch_state.size())},
                        .bytes = torch_state};
  write_torch_file(std::move(file),
                   dict({{"python", TorchTuple{{3, std::move(python_words), TorchValue()}}},
                         {"numpy", TorchTuple{{"MT19937", std::move(keys), 624, 0, 0.0}}},
                         {"cpu", cpu}}));
}

}  // namespace spanforge
