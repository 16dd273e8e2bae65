#include "spanforge/parallel/group.h"

#include <cstring>

#include "spanforge/base/error.h"

namespace spanforge {
namespace {

void require_sizes(bool good, const char* call) {
  if (!good) throw Error(ErrorCode::kInternal, {.where = call}, "sizes do not fit the group");
}

}  // namespace

Group::~Group() = default;

void Group::exchange(std::span<const ConstBytes> out, std::span<const Bytes> in) {
  const auto own = static_cast<size_t>(rank_), all = static_cast<size_t>(size_);
  require_sizes(out.size() == all && in.size() == all && out[own].size() == in[own].size(),
                "exchange");
  if (!out[own].empty()) std::memcpy(in[own].data(), out[own].data(), out[own].size());
  if (size_ > 1) exchange_with_others(out, in);
}

void Group::all_to_all(ConstBytes from, Bytes to) {
  const auto all = static_cast<size_t>(size_);
  require_sizes(from.size() == to.size() && from.size() % all == 0, "all_to_all");
  const size_t piece = from.size() / all;
  std::vector<ConstBytes> out;
  std::vector<Bytes> in;
  for (size_t k = 0; k < all; ++k) {
    out.push_back(from.subspan(k * piece, piece));
    in.push_back(to.subspan(k * piece, piece));
  }
  exchange(out, in);
}

void Group::all_gather(ConstBytes from, Bytes to) {
  const auto all = static_cast<size_t>(size_);
  require_sizes(to.size() == from.size() * all, "all_gather");
  const std::vector<ConstBytes> out(all, from);
  std::vector<Bytes> in;
  for (size_t k = 0; k < all; ++k) in.push_back(to.subspan(k * from.size(), from.size()));
  exchange(out, in);
}

void Group::broadcast(Bytes data, int root) {
  const auto all = static_cast<size_t>(size_);
  std::vector<ConstBytes> out(all);
  std::vector<Bytes> in(all);
  if (rank_ == root) {
    for (size_t k = 0; k < all; ++k) {
      if (k != static_cast<size_t>(root)) out[k] = data;
    }
  } else {
    in[static_cast<size_t>(root)] = data;
  }
  exchange(out, in);
}

void Group::gather(ConstBytes from, std::span<const Bytes> in, int root) {
  const auto all = static_cast<size_t>(size_);
  std::vector<ConstBytes> out(all);
  out[static_cast<size_t>(root)] = from;
  const std::vector<Bytes> none(all);
  exchange(out, rank_ == root ? in : std::span<const Bytes>(none));
}

void Group::barrier() { all_gather_value('b'); }

}  // namespace spanforge
