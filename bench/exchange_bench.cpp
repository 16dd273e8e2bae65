// exchange_bench [--elements N] [--compute-ms X] [--steps N] [--rendezvous DIR] [--interface NAME]
//
// What: How much of the exchange of gradients a backward pass hides. Started as one rank of a
// group,
//   as the program is (RANK, WORLD_SIZE). It drives GradientSum, the trainer's own, with a model
//   that has N gradients (8,388,608 by default) and computes nothing.
// Compute: stands for the backward pass. For each bucket of 4 MB the main thread spins until it has
//   used X milliseconds of processor time (0 by default); then the bucket is final. So it is a
//   fixed amount of work: where a core is shared, it takes longer.
// Output: rank 0 prints a line of JSON a step. Times are the slowest rank's.
//   compute_s, exchange_s: of compute alone and of the exchange alone, to the gradients' owners
//   together_s, hidden_s: of both at the same time; what that saved
//   sent: bytes that a rank sends in one exchange
//   processor_s: of the exchange alone; the mean over the ranks
//   back_s, back_sent, back_processor_s: the same for the weights, which come back from their
//     owners after the update, with nothing going on meanwhile
//   message_s: processor time of one small message, of a rank that sends and receives it
//   barrier_s: of a barrier, in which all send a byte to all

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>

#include "spanforge/base/json.h"
#include "spanforge/base/threads.h"
#include "spanforge/parallel/connect.h"
#include "spanforge/train/gradient_sum.h"
#include "workload.h"

namespace spanforge::bench {
namespace {

constexpr int64_t kBucket = 1 << 20;  // elements

struct Options {
  int64_t elements = 8 << 20, steps = 3;
  double compute_ms = 0;
  ConnectOptions connect;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) throw std::runtime_error(name + " needs a value");
    const char* const value = argv[i + 1];
    if (name == "--elements") {
      options.elements = std::atoll(value);
    } else if (name == "--compute-ms") {
      options.compute_ms = std::atof(value);
    } else if (name == "--steps") {
      options.steps = std::atoll(value);
    } else if (name == "--rendezvous") {
      options.connect.rendezvous = value;
    } else if (name == "--interface") {
      options.connect.interface = value;
    } else {
      throw std::runtime_error(name + " is not an option; bench/exchange_bench.cpp has them");
    }
  }
  if (options.elements < 1 || options.steps < 1 || options.compute_ms < 0) {
    throw std::runtime_error("--elements and --steps begin at 1, --compute-ms at 0");
  }
  return options;
}

// One parameter without embeddings, and no network behind it.
class Gradients : public TrainableModel {
 public:
  explicit Gradients(int64_t count)
      : gradients_(static_cast<size_t>(count) * sizeof(float)),
        weights_(static_cast<size_t>(count) * sizeof(float)) {
    parameters_.resize(1);
    parameters_[0].name = "gradients";
    parameters_[0].shape = {count};
    parameters_[0].size = count;
  }

  const ModelConfig& config() const override { return config_; }
  void predict(const PackedBatch&, Workspace&, const Tensor&) const override { refuse(); }
  const std::vector<Parameter>& parameters() const override { return parameters_; }
  Tensor weights(const Parameter&) const override { return all_weights(); }
  Precision precision() const override { return Precision::kF32; }
  void prepare_training() override {}
  Tensor gradients(const Parameter&) const override { return all_gradients(); }
  Tensor all_weights() const override { return whole(weights_); }
  Tensor all_gradients() const override { return whole(gradients_); }
  void zero_gradients() override {}
  std::vector<TouchedRows> touched_rows() const override { return {}; }
  void touch_rows(size_t, std::span<const int32_t>) override { refuse(); }
  double forward_backward(const PackedBatch&, const BackwardOptions&, Workspace&) override {
    refuse();
  }
  Tensor shadow_weights() const override { return {}; }
  void save(DirectoryWriter&) const override { refuse(); }
  void load_weights(const std::filesystem::path&) override { refuse(); }
  uint64_t saved_bytes() const override { return 0; }

 private:
  [[noreturn]] static void refuse() { throw std::runtime_error("the bench's model only has sums"); }
  Tensor whole(const Arena& arena) const {
    return make_tensor(reinterpret_cast<float*>(arena.data()), 1, parameters_[0].size);
  }
  ModelConfig config_;
  std::vector<Parameter> parameters_;
  Arena gradients_, weights_;
};

// Counts what goes out.
class CountingGroup : public Group {
 public:
  explicit CountingGroup(Group& group)
      : Group(group.rank(), group.size(), group.on_this_host()), group_(group) {}
  uint64_t sent() const { return sent_; }

 protected:
  void exchange_with_others(std::span<const ConstBytes> out, std::span<const Bytes> in) override {
    std::vector<ConstBytes> others(out.begin(), out.end());
    std::vector<Bytes> from(in.begin(), in.end());
    const auto own = static_cast<size_t>(rank());
    others[own] = {};
    from[own] = {};
    for (const ConstBytes& bytes : others) sent_ += bytes.size();
    group_.set_deadline(deadline());
    group_.exchange(others, from);
  }

 private:
  Group& group_;
  uint64_t sent_ = 0;
};

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double processor_time(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void compute(double seconds) {
  const double end = processor_time(CLOCK_THREAD_CPUTIME_ID) + seconds;
  while (processor_time(CLOCK_THREAD_CPUTIME_ID) < end) {
  }
}

struct Cost {
  double seconds = 0;    // the slowest rank's
  double processor = 0;  // mean over the ranks
  uint64_t sent = 0;     // the most that a rank sends
};

template <class Work>
Cost measure(CountingGroup& group, Work&& work) {
  group.barrier();
  const double begin = now(), processor = processor_time(CLOCK_PROCESS_CPUTIME_ID);
  const uint64_t sent = group.sent();
  work();
  const Cost mine{now() - begin, processor_time(CLOCK_PROCESS_CPUTIME_ID) - processor,
                  group.sent() - sent};
  Cost all;
  for (const Cost& one : group.all_gather_value(mine)) {
    all.seconds = std::max(all.seconds, one.seconds);
    all.processor += one.processor / group.size();
    all.sent = std::max(all.sent, one.sent);
  }
  return all;
}

class Bench {
 public:
  Bench(CountingGroup& group, const Options& options)
      : group_(group),
        options_(options),
        model_(options.elements),
        sum_(model_, group, group.size(), /*divides_update=*/true) {}

  Json step() {
    const Cost computed = measure(group_, [&] { pass_over_buckets([](int64_t) {}, true); });
    const Cost exchanged = exchange(false), together = exchange(true);
    const Cost back = measure(group_, [&] { sum_.share_weights(); });
    constexpr int kBarriers = 200;
    const Cost barriers = measure(group_, [&] {
      for (int i = 0; i < kBarriers; ++i) group_.barrier();
    });
    const int others = std::max(group_.size() - 1, 1);
    Json line;
    line["ranks"] = group_.size();
    line["buckets"] = (options_.elements + kBucket - 1) / kBucket;
    line["compute_s"] = computed.seconds;
    line["exchange_s"] = exchanged.seconds;
    line["together_s"] = together.seconds;
    line["hidden_s"] = computed.seconds + exchanged.seconds - together.seconds;
    line["sent"] = exchanged.sent;
    line["processor_s"] = exchanged.processor;
    line["back_s"] = back.seconds;
    line["back_sent"] = back.sent;
    line["back_processor_s"] = back.processor;
    line["message_s"] = barriers.processor / kBarriers / others;
    line["barrier_s"] = barriers.seconds / kBarriers;
    return line;
  }

 private:
  template <class OnFinal>
  void pass_over_buckets(OnFinal&& on_final, bool computes) {
    for (int64_t begin = 0; begin < options_.elements; begin += kBucket) {
      if (computes) compute(options_.compute_ms / 1000);
      on_final(std::min(begin + kBucket, options_.elements));
    }
  }

  Cost exchange(bool computes) {
    float* const values = model_.all_gradients().as<float>();
    std::fill_n(values, options_.elements, static_cast<float>(group_.rank() + 1));
    const Cost cost = measure(group_, [&] {
      const std::function<void(int64_t)> on_final = sum_.on_final();
      pass_over_buckets(
          on_final ? on_final : [](int64_t) {}, computes);
      sum_.end_shard();
    });
    const auto sum = static_cast<float>(group_.size() * (group_.size() + 1) / 2);
    for (const ElementRange& piece : sum_.division().pieces_of(group_.rank())) {
      if (std::count(values + piece.begin, values + piece.end, sum) != piece.size()) {
        throw std::runtime_error("the sums are wrong");
      }
    }
    return cost;
  }

  CountingGroup& group_;
  const Options options_;
  Gradients model_;
  GradientSum sum_;
};

void run(const Options& options) {
  const ThreadScope scope(1);
  const auto engine = connect_group(find_launch(), options.connect);
  CountingGroup group(*engine);
  Bench bench(group, options);
  for (int64_t i = 0; i < options.steps; ++i) {
    const Json line = bench.step();
    if (group.leads()) std::cout << line.dump() << std::endl;
  }
}

}  // namespace
}  // namespace spanforge::bench

int main(int argc, char** argv) {
  using namespace spanforge::bench;
  return guarded([&] { run(parse(argc, argv)); });
}
