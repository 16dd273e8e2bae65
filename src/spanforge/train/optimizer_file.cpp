#include "spanforge/train/optimizer_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

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

// Decaying parameters first: HF's two groups, concatenated.
std::vector<const Parameter*> optimizer_order(const QuestionAnsweringModel& model) {
  std::vector<const Parameter*> order = module_order(model);
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

TorchValue parameter_group(const TrainingArguments& a, double weight_decay, double rate,
                           int64_t first, int64_t last) {
  TorchList indices;
  for (int64_t i = first; i < last; ++i) indices.emplace_back(i);
  return dict({{"weight_decay", weight_decay},
               {"lr", rate},
               {"betas", TorchTuple{{a.adam_beta1, a.adam_beta2}}},
               {"eps", a.adam_epsilon},
               {"amsgrad", false},
               {"maximize", false},
               {"foreach", TorchValue()},
               {"capturable", false},
               {"differentiable", false},
               {"fused", true},
               {"decoupled_weight_decay", true},
               {"initial_lr", a.learning_rate},
               {"params", std::move(indices)}});
}

// A parameter's part of a moment arena, as a tensor of the parameter's shape in the arena's
// storage.
TorchTensor moment_tensor(const Arena& arena, const Parameter& parameter) {
  const auto* all = reinterpret_cast<const float*>(arena.data());
  return {.type = StoredType::kF32,
          .shape = parameter.shape,
          .bytes = bytes_of(all + parameter.offset, parameter.size),
          .storage = {reinterpret_cast<const char*>(arena.data()), arena.size()}};
}

class OptimizerReader {
 public:
  OptimizerReader(const std::filesystem::path& file, const QuestionAnsweringModel& model)
      : place_(file.string()), file_(file), order_(optimizer_order(model)) {}

  void read_into(TrainState& state) {
    check_groups();
    const TorchValue* moments = file_.root().find("state");
    if (moments == nullptr) refuse("has no 'state'");
    for (size_t i = 0; i < order_.size(); ++i) {
      const TorchValue* entry = moments->find(static_cast<int64_t>(i));
      if (entry == nullptr)
        refuse(fmt::format("has no state of parameter {} ({})", i, order_[i]->name));
      check_step(*entry, i, state.global_step);
      copy(*entry, "exp_avg", i, state.first_moment);
      copy(*entry, "exp_avg_sq", i, state.second_moment);
    }
  }

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw Error(ErrorCode::kBadModel, place_, why);
  }

  // Two groups with as many parameters as ours: else numbers mean something else.
  void check_groups() const {
    const TorchValue* groups = file_.root().find("param_groups");
    const TorchList* list = groups != nullptr ? groups->sequence() : nullptr;
    if (list == nullptr || list->size() != 2) refuse("'param_groups' is not a list of two groups");
    const int64_t decaying = count_decaying(order_);
    const int64_t expected[] = {decaying, static_cast<int64_t>(order_.size()) - decaying};
    for (size_t g = 0; g < 2; ++g) {
      const TorchValue* params = (*list)[g].find("params");
      const TorchList* indices = params != nullptr ? params->sequence() : nullptr;
      const auto count = indices != nullptr ? static_cast<int64_t>(indices->size()) : -1;
      if (count != expected[g]) {
        refuse(fmt::format("group {} has {} parameters, this model has {}", g, count, expected[g]));
      }
    }
  }

  void check_step(const TorchValue& entry, size_t index, int64_t step) const {
    const TorchValue* value = entry.find("step");
    const auto found = value != nullptr ? value->number() : std::nullopt;
    if (found != static_cast<double>(step)) {
      refuse(fmt::format("parameter {} has seen {} steps, trainer_state.json says {}", index,
                         found ? fmt::format("{}", *found) : "no", step));
    }
  }

  void copy(const TorchValue& entry, std::string_view key, size_t index, Arena& arena) const {
    const Parameter& parameter = *order_[index];
    const TorchValue* value = entry.find(key);
    const TorchTensor* tensor = value != nullptr ? value->get_if<TorchTensor>() : nullptr;
    if (tensor == nullptr || tensor->type != StoredType::kF32 || tensor->shape != parameter.shape) {
      refuse(fmt::format("{} of parameter {} is no float32 tensor of the shape of {}", key, index,
                         parameter.name));
    }
    float* const to = reinterpret_cast<float*>(arena.data()) + parameter.offset;
    if (file_.file().holds(tensor->bytes)) {
      file_.file().copy(tensor->bytes, to);  // the file may be cut off meanwhile
    } else {
      std::memcpy(to, tensor->bytes.data(), tensor->bytes.size());
    }
  }

  std::string place_;
  TorchFile file_;
  std::vector<const Parameter*> order_;
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

std::vector<const Parameter*> module_order(const QuestionAnsweringModel& model) {
  std::vector<const Parameter*> order;
  for (const Parameter& parameter : model.parameters()) order.push_back(&parameter);
  std::sort(order.begin(), order.end(), [](const Parameter* a, const Parameter* b) {
    return a->module_index < b->module_index;
  });
  return order;
}

void write_optimizer_file(const std::filesystem::path& file, const QuestionAnsweringModel& model,
                          const TrainingArguments& arguments, const TrainState& state,
                          double next_rate) {
  const std::vector<const Parameter*> order = optimizer_order(model);
  // One number a parameter: torch counts them up in place, each in its own storage.
  const std::vector<float> steps(order.size(), static_cast<float>(state.global_step));
  TorchDict entries;
  for (size_t i = 0; i < order.size() && state.global_step > 0; ++i) {
    const TorchTensor own_step{
        .type = StoredType::kF32, .shape = {}, .bytes = bytes_of(&steps[i], 1)};
    entries.items.emplace_back(
        static_cast<int64_t>(i),
        dict({{"step", own_step},
              {"exp_avg", moment_tensor(state.first_moment, *order[i])},
              {"exp_avg_sq", moment_tensor(state.second_moment, *order[i])}}));
  }
  const int64_t decaying = count_decaying(order), all = static_cast<int64_t>(order.size());
  TorchList groups;
  groups.push_back(parameter_group(arguments, arguments.weight_decay, next_rate, 0, decaying));
  groups.push_back(parameter_group(arguments, 0.0, next_rate, decaying, all));
  write_torch_file(file,
                   dict({{"state", std::move(entries)}, {"param_groups", std::move(groups)}}));
}

void read_optimizer_file(const std::filesystem::path& file, const QuestionAnsweringModel& model,
                         TrainState& state) {
  allocate_moments(model, state);
  OptimizerReader(file, model).read_into(state);
}

void write_scheduler_file(const std::filesystem::path& file, const TrainingArguments& arguments,
                          int64_t global_step, double next_rate) {
  const auto twice = [](TorchValue value) { return TorchList{value, value}; };
  write_torch_file(file, dict({{"base_lrs", twice(arguments.learning_rate)},
                               {"last_epoch", global_step},
                               {"_step_count", global_step + 1},
                               {"_is_initial", false},
                               {"_get_lr_called_within_step", false},
                               {"_last_lr", twice(next_rate)},
                               {"lr_lambdas", twice(TorchDict{})}}));
}

void write_rng_file(const std::filesystem::path& file, uint64_t seed) {
  const std::array<uint32_t, 624> words = mersenne_state(static_cast<uint32_t>(seed));
  const std::string torch_state = TorchGenerator(seed).state_bytes();
  TorchList keys(words.begin(), words.end());
  TorchTuple python_words{keys};
  python_words.items.emplace_back(624);  // all used up: the next number twists
  const TorchTensor cpu{.type = StoredType::kU8,
                        .shape = {static_cast<int64_t>(torch_state.size())},
                        .bytes = torch_state};
  write_torch_file(file, dict({{"python", TorchTuple{{3, std::move(python_words), TorchValue()}}},
                               {"numpy", TorchTuple{{"MT19937", std::move(keys), 624, 0, 0.0}}},
                               {"cpu", cpu}}));
}

void allocate_moments(const QuestionAnsweringModel& model, TrainState& state) {
  const auto bytes = static_cast<size_t>(model.all_weights().size()) * sizeof(float);
  state.first_moment = Arena(bytes);
  state.second_moment = Arena(bytes);
}

}  // namespace spanforge
