#pragma once
// What: Sums the gradients of a step's shards, over this process's shards and then over the ranks
//   of a group, always in the same order. So the sum has the same bits for every number of ranks.
// Order: With shards 0 to G - 1, the sums of neighbours are summed until one is left: shard 1 is
//   added to 0, 3 to 2, ..., then 2 to 0, 6 to 4, ... A rank takes G / N neighbours, so it computes
//   a part of this tree if G / N is a power of two, or all of it if N is 1.
// Exchange: In buckets, as the backward pass of the last shard makes gradients final, on another
//   thread. Of each bucket a rank gets its piece of every rank and adds them (division.h). If the
//   update is divided, it then updates the weights of its pieces and gives them to all
//   (share_weights); otherwise it gives the sums to all at once. Of embeddings only the rows go
//   that some shard's tokens touched, and all ranks get their sums.
// Memory: for each level of the tree within a process a copy of the gradients.

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "spanforge/model/trainable_model.h"
#include "spanforge/parallel/group.h"
#include "spanforge/tensor/arena.h"
#include "spanforge/train/division.h"

namespace spanforge {

// True if N ranks can sum G shards in the order above.
bool shards_suit(int64_t shards, int ranks);

class GradientSum {
 public:
  // The model and the group must outlive this. divides_update: as above. REQUIRES:
  // shards_suit(shards, group.size()); model.prepare_training() was called.
  GradientSum(TrainableModel& model, Group& group, int64_t shards, bool divides_update);
  ~GradientSum();

  // This rank's shards are first_shard() to first_shard() + shard_count() - 1.
  int64_t first_shard() const { return first_shard_; }
  int64_t shard_count() const { return shard_count_; }

  // For each of this rank's shards, in order: compute its gradients, from zero; then call
  // end_shard(). Give on_final() to the last micro-batch of the last shard. Afterwards the model
  // has the sum over all shards of all ranks; if the update is divided, of the dense gradients only
  // this rank's pieces.
  std::function<void(int64_t)> on_final();
  void end_shard();

  // Of the whole sum, the same on all ranks, which all call these.
  double sum_of_squares();
  int64_t first_non_finite();  // an index of all_gradients(); -1: all are finite

  bool divides_update() const { return divides_update_; }
  const Division& division() const { return division_; }
  // After an update of this rank's pieces: all ranks get all weights. Does nothing if every rank
  // has updated everything.
  void share_weights();

 private:
  // The sum of some shards.
  struct Kept {
    Arena dense;
    float* values() const { return reinterpret_cast<float*>(dense.data()); }
    struct Rows {
      std::vector<int32_t> rows;
      std::vector<float> values;  // [rows, columns]
    };
    std::vector<Rows> embeddings;
  };
  void keep(size_t level);
  void add_embeddings(const Kept& kept);
  void sum_bucket(int64_t index);
  void exchange_embeddings();
  void exchange(float* data, const std::vector<ElementRange>& pieces, bool gives_back);
  void send_buckets();  // on the other thread
  void finish_dense();

  TrainableModel& model_;
  Group& group_;
  int64_t first_shard_ = 0, shard_count_ = 1;
  const int64_t dense_size_;  // elements before the embeddings
  const bool divides_update_;
  const Division division_;
  int64_t done_ = 0;          // of this rank's shards in this step
  std::vector<Kept> levels_;  // the sum of 2^level shards, while it waits for its neighbour
  std::vector<size_t> due_;   // levels to add to the last shard, ascending
  std::vector<float> received_;
  float* gradients_ = nullptr;

  std::thread sender_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t ready_ = 0;  // gradients before this one are final
  bool given_up_ = false;
  std::exception_ptr failure_;
};

}  // namespace spanforge
