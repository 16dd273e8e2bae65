#pragma once
// What: counts what the server does and writes it in Prometheus's text format (version 0.0.4), for
//   /metrics. It does not use prometheus-cpp: Debian's package brings a second HTTP server
//   (civetweb), and this takes a hundred lines.
// Labels: routes, statuses, models and fixed words, never a client's text.
// Threads: all methods are concurrent.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spanforge::serve {

class Metrics {
 public:
  enum class Histogram { kRequest, kQueue, kInference, kTokenize, kBatchTokens, kBatchWindows };
  enum class Gauge { kQueueTokens, kConnections };
  struct Model {
    std::string name, version;
  };

  void count_request(std::string_view route, int status, double seconds);
  void count_rejected(std::string_view reason);
  void count_cancelled();
  void count_reload(bool succeeded);
  void observe(Histogram histogram, double value);
  void set(Gauge gauge, double value);
  void set_build(std::string version);
  void set_models(std::vector<Model> models);
  std::string text() const;

 private:
  struct Counts {
    std::vector<uint64_t> buckets;  // not cumulative; the last has no upper bound
    double sum = 0;
    uint64_t count = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, uint64_t> requests_;
  std::map<std::string, uint64_t> rejected_;
  std::map<bool, uint64_t> reloads_{{false, 0}, {true, 0}};
  uint64_t cancelled_ = 0;
  std::map<Histogram, Counts> histograms_;
  std::map<Gauge, double> gauges_;
  std::string version_;  // of the program
  std::vector<Model> models_;
};

}  // namespace spanforge::serve
