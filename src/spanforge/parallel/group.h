#pragma once
// What: The processes that work on one task together, the ranks 0 to size() - 1, and how they
//   exchange bytes. It moves bytes and computes nothing, so results do not depend on an engine.
// Use: All ranks make the same calls in the same order, with the same sizes.
// Deadline: A call throws Error{kPeerLost, where "rank K"} if rank K is gone, or if it does not
//   answer within the deadline. Afterwards the group is unusable. A rank that has much to do alone
//   keeps the others waiting by work_together() (together.h), which has no limit.
// Threads: One call at a time. Different threads may make calls one after the other.
// Security: whatever moves the bytes has neither authentication nor encryption.

#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

namespace spanforge {

using Bytes = std::span<std::byte>;
using ConstBytes = std::span<const std::byte>;

class Group {
 public:
  virtual ~Group();
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool leads() const { return rank_ == 0; }
  int on_this_host() const { return on_this_host_; }  // ranks, this one included

  std::chrono::milliseconds deadline() const { return deadline_; }
  void set_deadline(std::chrono::milliseconds deadline) { deadline_ = deadline; }

  // Sends out[k] to rank k and receives in[k] from it, for all k. REQUIRES: size() entries each;
  // out[k] here is as large as in[rank()] there; no entry overlaps another.
  void exchange(std::span<const ConstBytes> out, std::span<const Bytes> in);

  // Piece k of `from` goes to rank k; piece k of `to` comes from rank k. All pieces are equal.
  void all_to_all(ConstBytes from, Bytes to);
  void all_gather(ConstBytes from, Bytes to);  // to: what each rank gave, in the order of ranks
  // all_gather of one value of a type without pointers.
  template <class T>
  std::vector<T> all_gather_value(const T& value) {
    std::vector<T> all(static_cast<size_t>(size_));
    all_gather(std::as_bytes(std::span(&value, 1)), std::as_writable_bytes(std::span(all)));
    return all;
  }
  void broadcast(Bytes data, int root = 0);
  // Rank k's `from` goes to in[k] of `root`. On other ranks `in` is empty.
  void gather(ConstBytes from, std::span<const Bytes> in, int root = 0);
  void barrier();

 protected:
  Group(int rank, int size, int on_this_host)
      : rank_(rank), size_(size), on_this_host_(on_this_host) {}
  // exchange() without this rank's own entry.
  virtual void exchange_with_others(std::span<const ConstBytes> out, std::span<const Bytes> in) = 0;

 private:
  const int rank_, size_, on_this_host_;
  std::chrono::milliseconds deadline_ = std::chrono::seconds(60);
};

// The group of one process.
class GroupAlone : public Group {
 public:
  GroupAlone() : Group(0, 1, 1) {}

 protected:
  void exchange_with_others(std::span<const ConstBytes>, std::span<const Bytes>) override {}
};

}  // namespace spanforge
