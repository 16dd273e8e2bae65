#include "spanforge/serve/scheduler.h"

#include <numeric>
#include <utility>

namespace spanforge::serve {

void Scheduler::add(RequestId id, ModelKey model, std::vector<int32_t> lengths) {
  waiting_tokens_ += std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  ring_.push_back({id, model, std::move(lengths)});
  places_[id] = std::prev(ring_.end());
}

size_t Scheduler::remove(RequestId id) {
  const auto found = places_.find(id);
  if (found == places_.end()) return 0;
  const Waiting& waiting = *found->second;
  const size_t dropped = waiting.lengths.size() - waiting.next;
  for (size_t w = waiting.next; w < waiting.lengths.size(); ++w) {
    waiting_tokens_ -= waiting.lengths[w];
  }
  ring_.erase(found->second);
  places_.erase(found);
  return dropped;
}

bool Scheduler::take(Waiting& waiting, Batch& batch) {
  waiting.deficit += kQuantum;
  const size_t first = waiting.next;
  bool full = false;
  while (waiting.next < waiting.lengths.size()) {
    const int32_t length = waiting.lengths[waiting.next];
    full = batch.tokens > 0 && batch.tokens + length > batch_tokens_;
    if (full || length > waiting.deficit) break;
    waiting.deficit -= length;
    batch.tokens += length;
    waiting_tokens_ -= length;
    ++waiting.next;
  }
  if (waiting.next > first) batch.parts.push_back({waiting.id, first, waiting.next - first});
  // If the batch has no room for its next window, the request had no turn.
  if (full && waiting.next == first) waiting.deficit -= kQuantum;
  return full;
}

std::optional<Scheduler::Batch> Scheduler::next_batch() {
  if (ring_.empty()) return std::nullopt;
  Batch batch;
  batch.model = ring_.front().model;
  bool full = false, served = true;
  while (!full && served) {  // one round
    served = false;
    std::list<Waiting> later;  // requests that had their turn
    for (auto it = ring_.begin(); it != ring_.end() && !full;) {
      const auto current = it++;
      if (current->model != batch.model) continue;
      served = true;
      const size_t before = current->next;
      full = take(*current, batch);
      if (current->next == current->lengths.size()) {
        places_.erase(current->id);
        ring_.erase(current);
      } else if (!full || current->next > before) {
        later.splice(later.end(), ring_, current);
      }
    }
    ring_.splice(ring_.end(), later);
  }
  return batch;
}

}  // namespace spanforge::serve
