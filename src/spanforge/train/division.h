#pragma once
// What: Which rank of a group updates which weights, so that each keeps only its part of the
//   optimiser's state (ZeRO stage 1). Embeddings are not divided: every rank updates all of them.
// How: The dense weights (all before the embeddings in the arenas) are cut into buckets, which
// leave
//   one by one while the backward pass runs. Of each bucket every rank has one piece, so that in
//   each exchange all links are used alike. Pieces begin at blocks of ops::kSumBlock elements, so
//   that the gradients' norm has the bits of one process.
// Source: Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter
//   Models", 2020, section 5.1.

#include <cstdint>
#include <vector>

#include "spanforge/parallel/group.h"
#include "spanforge/train/optimizer_state.h"

namespace spanforge {

class Division {
 public:
  Division(int64_t elements, int ranks);

  int64_t bucket_count() const { return (elements_ + bucket_ - 1) / bucket_; }
  ElementRange bucket(int64_t index) const;
  std::vector<ElementRange> pieces_in(int64_t bucket) const;  // each rank's
  ElementRange piece(int64_t bucket, int rank) const;         // may be empty
  std::vector<ElementRange> pieces_of(int rank) const;        // of all buckets, none empty
  std::vector<ElementRange> held_by(int rank) const;          // pieces_of() and the embeddings

 private:
  int64_t elements_;
  int ranks_;
  int64_t bucket_;  // elements of each but the last
};

// Rank 0 receives what the others hold of the state; theirs stays as it is. All ranks call it.
void gather_state(Group& group, const Division& division, const OptimizerState& state);

}  // namespace spanforge
