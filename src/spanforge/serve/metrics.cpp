#include "spanforge/serve/metrics.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>

#include <fmt/core.h>

#include "spanforge/base/json.h"

namespace spanforge::serve {
namespace {

constexpr double kSeconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                               0.25,  0.5,    1,     2.5,  5,     10,   30};
constexpr double kTokens[] = {64, 128, 256, 512, 1024, 2048, 4096};
constexpr double kWindows[] = {1, 2, 4, 8, 16, 32, 64};

struct HistogramRow {
  Metrics::Histogram histogram;
  const char* name;
  const char* help;
  std::span<const double> bounds;
};
const HistogramRow kHistograms[] = {
    {Metrics::Histogram::kRequest, "request_duration_seconds",
     "Time from a request's last byte to its answer.", kSeconds},
    {Metrics::Histogram::kQueue, "queue_duration_seconds",
     "Time from a request's last byte to its first batch.", kSeconds},
    {Metrics::Histogram::kInference, "inference_duration_seconds",
     "Time of a batch's forward pass.", kSeconds},
    {Metrics::Histogram::kTokenize, "tokenize_duration_seconds",
     "Time to make a request's windows.", kSeconds},
    {Metrics::Histogram::kBatchTokens, "batch_tokens", "Tokens in a batch.", kTokens},
    {Metrics::Histogram::kBatchWindows, "batch_windows", "Windows in a batch.", kWindows},
};
const HistogramRow& row_of(Metrics::Histogram histogram) {
  return *std::find_if(std::begin(kHistograms), std::end(kHistograms),
                       [&](const HistogramRow& row) { return row.histogram == histogram; });
}

void head(std::string& out, const char* name, const char* help, const char* type) {
  out += fmt::format("# HELP spanforge_{} {}\n# TYPE spanforge_{} {}\n", name, help, name, type);
}

// Escapes a label's value. A model's name comes from the command line.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? std::string("\\n") : std::string(1, c);
  }
  return out;
}

}  // namespace

void Metrics::count_request(std::string_view route, int status, double seconds) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++requests_[{std::string(route), status}];
  }
  observe(Histogram::kRequest, seconds);
}

void Metrics::count_rejected(std::string_view reason) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++rejected_[std::string(reason)];
}

void Metrics::count_cancelled() {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++cancelled_;
}

void Metrics::count_reload(bool succeeded) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++reloads_[succeeded];
}

void Metrics::observe(Histogram histogram, double value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const std::span<const double> bounds = row_of(histogram).bounds;
  Counts& counts = histograms_[histogram];
  counts.buckets.resize(bounds.size() + 1);
  ++counts.buckets[static_cast<size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) -
                                       bounds.begin())];
  counts.sum += value;
  ++counts.count;
}

void Metrics::set(Gauge gauge, double value) {
  const std::lock_guard<std::mutex> lock(mutex_);
  gauges_[gauge] = value;
}

void Metrics::set_build(std::string version) {
  const std::lock_guard<std::mutex> lock(mutex_);
  version_ = std::move(version);
}

void Metrics::set_models(std::vector<Model> models) {
  const std::lock_guard<std::mutex> lock(mutex_);
  models_ = std::move(models);
}

std::string Metrics::text() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string out;
  head(out, "requests_total", "Requests answered.", "counter");
  for (const auto& [key, count] : requests_) {
    out += fmt::format("spanforge_requests_total{{route=\"{}\",status=\"{}\"}} {}\n",
                       escaped(key.first), key.second, count);
  }
  head(out, "rejected_total", "Requests refused, by error_type.", "counter");
  for (const auto& [reason, count] : rejected_) {
    out += fmt::format("spanforge_rejected_total{{reason=\"{}\"}} {}\n", escaped(reason), count);
  }
  head(out, "cancelled_total", "Requests whose client left before the answer.", "counter");
  out += fmt::format("spanforge_cancelled_total {}\n", cancelled_);
  head(out, "reloads_total", "Models loaded again on SIGHUP.", "counter");
  for (const auto& [succeeded, count] : reloads_) {
    out += fmt::format("spanforge_reloads_total{{result=\"{}\"}} {}\n",
                       succeeded ? "success" : "failure", count);
  }
  for (const HistogramRow& row : kHistograms) {
    head(out, row.name, row.help, "histogram");
    const auto found = histograms_.find(row.histogram);
    const Counts counts = found == histograms_.end() ? Counts{} : found->second;
    uint64_t below = 0;
    for (size_t i = 0; i < row.bounds.size(); ++i) {
      if (i < counts.buckets.size()) below += counts.buckets[i];
      out += fmt::format("spanforge_{}_bucket{{le=\"{}\"}} {}\n", row.name, row.bounds[i], below);
    }
    out += fmt::format(
        "spanforge_{0}_bucket{{le=\"+Inf\"}} {1}\nspanforge_{0}_sum {2}\n"
        "spanforge_{0}_count {1}\n",
        row.name, counts.count, python_repr(counts.sum));
  }
  for (const auto& [gauge, name, help] :
       {std::tuple(Gauge::kQueueTokens, "queue_tokens", "Tokens that wait for a batch."),
        std::tuple(Gauge::kConnections, "connections", "Open connections.")}) {
    head(out, name, help, "gauge");
    const auto found = gauges_.find(gauge);
    out += fmt::format("spanforge_{} {}\n", name, found == gauges_.end() ? 0 : found->second);
  }
  head(out, "build_info", "The program's version.", "gauge");
  out += fmt::format("spanforge_build_info{{version=\"{}\"}} 1\n", escaped(version_));
  head(out, "model_info", "The served models and their versions.", "gauge");
  for (const Model& model : models_) {
    out += fmt::format("spanforge_model_info{{model=\"{}\",version=\"{}\"}} 1\n",
                       escaped(model.name), escaped(model.version));
  }
  return out;
}

}  // namespace spanforge::serve
