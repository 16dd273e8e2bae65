#pragma once
// What: which windows of which requests are computed next. Deficit round robin over requests
//   (Shreedhar and Varghese, 1995): in every round a request may have kQuantum tokens more, and
//   what it cannot use it keeps. So behind a request of a thousand windows a single one is in the
//   next batch but one at the latest.
// A batch is of one model, of at most batch_tokens tokens (one window always fits), and is made of
//   what is there: nothing waits for more to come.
// Not concurrent: engine.h has the lock.

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
  // lengths: tokens of each window, of which there is at least one.
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
    size_t next = 0;  // window
    int64_t deficit = 0;
  };
  // Moves windows of one request into the batch; true: the batch is full.
  bool take(Waiting& waiting, Batch& batch);

  int32_t batch_tokens_;
  int64_t waiting_tokens_ = 0;
  std::list<Waiting> ring_;  // the next to be served first
  std::map<RequestId, std::list<Waiting>::iterator> places_;
};

}  // namespace spanforge::serve
