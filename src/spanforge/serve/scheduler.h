#pragma once
// What: chooses the windows that are computed next, by deficit round robin over requests (Shreedhar
//   and Varghese, 1995). In every round each request may use kQuantum more tokens, and keeps those
//   that it does not use. So a single window after a request of a thousand is in the next batch but
//   one at the latest.
// Batches: a batch has windows of one model, with at most batch_tokens tokens; one window always
//   fits. It has only windows that already wait, and never waits for more.
// Threads: not concurrent; Engine has the lock.

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <vector>

namespace spanforge::serve {

class Scheduler {
 public:
  static constexpr int32_t kQuantum = 512;
  using RequestId = uint64_t;
  using ModelKey = const void*;

  struct Part {  // windows [first, first + count) of a request
    RequestId request;
    size_t first, count;
  };
  struct Batch {
    ModelKey model = nullptr;
    std::vector<Part> parts;
    int64_t tokens = 0;
  };

  explicit Scheduler(int32_t batch_tokens) : batch_tokens_(batch_tokens) {}
  // lengths: the tokens of each window. REQUIRES: there is at least one window.
  void add(RequestId id, ModelKey model, std::vector<int32_t> lengths);
  // Drops the windows that no batch has taken yet; returns how many.
  size_t remove(RequestId id);
  std::optional<Batch> next_batch();
  int64_t waiting_tokens() const { return waiting_tokens_; }
  bool empty() const { return ring_.empty(); }

 private:
  struct Waiting {
    RequestId id;
    ModelKey model;
    std::vector<int32_t> lengths;
    size_t next = 0;  // the next window
    int64_t deficit = 0;
  };
  // Moves windows of one request into the batch. Returns true if the batch is full.
  bool take(Waiting& waiting, Batch& batch);

  int32_t batch_tokens_;
  int64_t waiting_tokens_ = 0;
  std::list<Waiting> ring_;  // in the order of turns
  std::map<RequestId, std::list<Waiting>::iterator> places_;
};

}  // namespace spanforge::serve
