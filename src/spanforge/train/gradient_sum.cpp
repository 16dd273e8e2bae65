#include "spanforge/train/gradient_sum.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "spanforge/base/error.h"
#include "spanforge/base/threads.h"
#include "spanforge/ops/elementwise.h"
#include "spanforge/ops/optimizer.h"

namespace spanforge {
namespace {

constexpr int64_t kRowsBucket = 1 << 20;  // elements of embeddings: 4 MB
constexpr int64_t kAlignment = 16;        // elements of a cache line

// to[i] += from[i], on all threads of the caller.
void add_flat(const float* from, float* to, int64_t count) {
  constexpr int64_t kColumns = 1024;
  const auto add = [&](int64_t at, int64_t rows, int64_t columns) {
    ops::add(make_tensor(const_cast<float*>(from) + at, rows, columns),
             make_tensor(to + at, rows, columns));
  };
  const int64_t whole = count / kColumns;
  if (whole > 0) add(0, whole, kColumns);
  if (count % kColumns > 0) add(whole * kColumns, 1, count % kColumns);
}

// Row r of `to` += row i of `kept` for rows[i] == r, and += 0 for rows that it does not have: so
// -0 becomes +0, as in a sum with a shard whose row is zeros.
void add_rows(const Tensor& to, std::span<const int32_t> all, std::span<const int32_t> rows,
              const float* values) {
  size_t next = 0;
  for (const int32_t row : all) {
    float* const sum = to.row<float>(row);
    const bool has = next < rows.size() && rows[next] == row;
    const float* const more = has ? values + static_cast<int64_t>(next++) * to.cols : nullptr;
    for (int64_t j = 0; j < to.cols; ++j) sum[j] += more != nullptr ? more[j] : 0.0f;
  }
}

int64_t dense_size(TrainableModel& model) {
  int64_t size = model.all_gradients().cols;
  for (const auto& touched : model.touched_rows()) {
    size = std::min(size, touched.parameter.offset);
  }
  return size;
}

// A piece for each rank.
std::vector<ElementRange> even_pieces(int64_t count, int ranks) {
  const int64_t even = (count + ranks - 1) / ranks;
  const int64_t size = (even + kAlignment - 1) / kAlignment * kAlignment;
  std::vector<ElementRange> pieces;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    pieces.push_back({std::min(rank * size, count), std::min((rank + 1) * size, count)});
  }
  return pieces;
}

std::span<float> part(float* data, const ElementRange& range) {
  return {data + range.begin, static_cast<size_t>(range.size())};
}

// Every rank gets all pieces; rank k has piece k.
void give_pieces(Group& group, float* data, const std::vector<ElementRange>& pieces) {
  const auto self = static_cast<size_t>(group.rank());
  std::vector<ConstBytes> out(pieces.size(), std::as_bytes(part(data, pieces[self])));
  std::vector<Bytes> in;
  for (const ElementRange& piece : pieces) in.push_back(std::as_writable_bytes(part(data, piece)));
  out[self] = in[self] = {};
  group.exchange(out, in);
}

}  // namespace

bool shards_suit(int64_t shards, int ranks) {
  if (ranks == 1) return shards >= 1;
  return shards % ranks == 0 && std::has_single_bit(static_cast<uint64_t>(shards / ranks));
}

GradientSum::GradientSum(TrainableModel& model, Group& group, int64_t shards, bool divides_update)
    : model_(model),
      group_(group),
      first_shard_(group.rank() * (shards / group.size())),
      shard_count_(shards / group.size()),
      dense_size_(dense_size(model)),
      divides_update_(divides_update && group.size() > 1),
      division_(dense_size_, group.size()) {
  if (!shards_suit(shards, group.size())) {
    throw Error(ErrorCode::kInternal, {.where = "gradient sum"}, "shards do not suit the ranks");
  }
  gradients_ = model.all_gradients().as<float>();
}

GradientSum::~GradientSum() {
  if (!sender_.joinable()) return;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    given_up_ = true;
  }
  changed_.notify_one();
  sender_.join();
}

std::function<void(int64_t)> GradientSum::on_final() {
  if (group_.size() == 1) return {};
  ready_ = 0;
  for (size_t level = 0; (int64_t{1} << level) < shard_count_; ++level) due_.push_back(level);
  sender_ = std::thread([this] { send_buckets(); });
  return [this](int64_t elements) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ready_ = std::max(ready_, elements);
    }
    changed_.notify_one();
  };
}

void GradientSum::end_shard() {
  const auto shard = static_cast<uint64_t>(done_++);
  if (shard_count_ > 1) model_.all_gradients();  // zeros, if no pass has written them
  if (done_ < shard_count_) {
    size_t level = 0;
    for (; (shard >> level & 1) != 0; ++level) {
      add_flat(levels_[level].values(), gradients_, dense_size_);
      add_embeddings(levels_[level]);
    }
    keep(level);
    return;
  }
  done_ = 0;
  if (group_.size() == 1) {
    for (size_t level = 0; level < levels_.size(); ++level) {
      if ((shard >> level & 1) == 0) continue;
      add_flat(levels_[level].values(), gradients_, dense_size_);
      add_embeddings(levels_[level]);
    }
    return;
  }
  finish_dense();
  for (const size_t level : due_) add_embeddings(levels_[level]);
  due_.clear();
  exchange_embeddings();
}

void GradientSum::keep(size_t level) {
  if (level == levels_.size()) {
    levels_.push_back({Arena(static_cast<size_t>(dense_size_) * sizeof(float)), {}});
  }
  Kept& kept = levels_[level];
  std::copy_n(gradients_, dense_size_, kept.values());
  kept.embeddings.clear();
  for (const auto& touched : model_.touched_rows()) {
    const Tensor rows = model_.gradients(touched.parameter);
    Kept::Rows& copy = kept.embeddings.emplace_back();
    copy.rows.assign(touched.rows.begin(), touched.rows.end());
    copy.values.reserve(copy.rows.size() * static_cast<size_t>(rows.cols));
    for (const int32_t row : copy.rows) {
      copy.values.insert(copy.values.end(), rows.row<float>(row), rows.row<float>(row) + rows.cols);
    }
  }
  model_.zero_gradients();
}

void GradientSum::add_embeddings(const Kept& kept) {
  for (size_t i = 0; i < kept.embeddings.size(); ++i) {
    const Kept::Rows& more = kept.embeddings[i];
    model_.touch_rows(i, more.rows);
    const auto touched = model_.touched_rows()[i];
    add_rows(model_.gradients(touched.parameter), touched.rows, more.rows, more.values.data());
  }
}

void GradientSum::send_buckets() {
  const ThreadScope scope(1);  // the other threads compute
  try {
    for (int64_t index = 0; index < division_.bucket_count(); ++index) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        const int64_t end = division_.bucket(index).end;
        changed_.wait(lock, [&] { return ready_ >= end || given_up_; });
        if (given_up_) return;
      }
      sum_bucket(index);
    }
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void GradientSum::sum_bucket(int64_t index) {
  const auto [begin, end] = division_.bucket(index);
  for (const size_t level : due_) {
    add_flat(levels_[level].values() + begin, gradients_ + begin, end - begin);
  }
  exchange(gradients_, division_.pieces_in(index), /*gives_back=*/!divides_update_);
}

// Rank k owns piece k: it gets that piece of all ranks, adds them, and may give the sum to all.
void GradientSum::exchange(float* data, const std::vector<ElementRange>& pieces, bool gives_back) {
  const int64_t ranks = group_.size();
  const std::span<float> own = part(data, pieces[static_cast<size_t>(group_.rank())]);
  const auto mine = static_cast<int64_t>(own.size());
  received_.resize(std::max(received_.size(), static_cast<size_t>(ranks * mine)));
  std::vector<ConstBytes> out;
  std::vector<Bytes> in;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    out.push_back(std::as_bytes(part(data, pieces[static_cast<size_t>(rank)])));
    in.push_back(std::as_writable_bytes(std::span(received_.data() + rank * mine, own.size())));
  }
  group_.exchange(out, in);
  for (int64_t distance = 1; distance < ranks && mine > 0; distance *= 2) {
    for (int64_t i = 0; i + distance < ranks; i += 2 * distance) {
      add_flat(received_.data() + (i + distance) * mine, received_.data() + i * mine, mine);
    }
  }
  std::copy_n(received_.begin(), mine, own.begin());
  if (gives_back) give_pieces(group_, data, pieces);
}

void GradientSum::finish_dense() {
  if (!sender_.joinable()) {  // the caller gave on_final() to nobody: the last shard was empty
    on_final();
  }
  model_.all_gradients();  // zeros, if no pass has written them
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ready_ = dense_size_;
  }
  changed_.notify_one();
  sender_.join();
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

// The blocks of all pieces, in the order of the arena, then the embeddings. A piece begins at a
// block.
double GradientSum::sum_of_squares() {
  const Tensor all = model_.all_gradients();
  double sum = 0;
  if (!divides_update_) {
    sum = ops::sum_of_squares(all.columns(0, dense_size_));
  } else {
    const auto ranks = static_cast<size_t>(group_.size());
    std::vector<std::vector<double>> blocks(ranks);
    for (const ElementRange& piece : division_.pieces_of(group_.rank())) {
      const auto more = ops::block_squares(all.columns(piece.begin, piece.size()));
      auto& mine = blocks[static_cast<size_t>(group_.rank())];
      mine.insert(mine.end(), more.begin(), more.end());
    }
    const auto count = [](const ElementRange& piece) {
      return static_cast<size_t>((piece.size() + ops::kSumBlock - 1) / ops::kSumBlock);
    };
    std::vector<ConstBytes> out;
    std::vector<Bytes> in;
    for (size_t rank = 0; rank < ranks; ++rank) {
      size_t size = 0;
      for (const auto& piece : division_.pieces_of(static_cast<int>(rank))) size += count(piece);
      blocks[rank].resize(size);
    }
    const std::vector<double> mine = blocks[static_cast<size_t>(group_.rank())];
    for (auto& theirs : blocks) {
      out.push_back(std::as_bytes(std::span(mine)));
      in.push_back(std::as_writable_bytes(std::span(theirs)));
    }
    group_.exchange(out, in);
    std::vector<size_t> next(ranks);
    for (int64_t index = 0; index < division_.bucket_count(); ++index) {
      for (size_t rank = 0; rank < ranks; ++rank) {
        const size_t end = next[rank] + count(division_.piece(index, static_cast<int>(rank)));
        for (size_t& i = next[rank]; i < end; ++i) sum += blocks[rank][i];
      }
    }
  }
  for (const auto& touched : model_.touched_rows()) {
    sum += ops::sum_of_squares_rows(model_.gradients(touched.parameter), touched.rows);
  }
  return sum;
}

int64_t GradientSum::first_non_finite() {
  const Tensor all = model_.all_gradients();
  const auto first_in = [&](int64_t begin, int64_t end) {
    const int64_t index = ops::first_non_finite(all.columns(begin, end - begin));
    return index < 0 ? index : begin + index;
  };
  if (!divides_update_) return first_in(0, all.cols);
  int64_t mine = -1;
  for (const ElementRange& held : division_.held_by(group_.rank())) {
    if (mine < 0) mine = first_in(held.begin, std::min(held.end, all.cols));
  }
  int64_t first = -1;
  for (const int64_t one : group_.all_gather_value(mine)) {
    if (one >= 0 && (first < 0 || one < first)) first = one;
  }
  return first;
}

void GradientSum::share_weights() {
  if (!divides_update_) return;
  const Tensor weights = model_.all_weights(), shadow = model_.shadow_weights();
  for (int64_t index = 0; index < division_.bucket_count(); ++index) {
    give_pieces(group_, weights.as<float>(), division_.pieces_in(index));
    const auto [begin, end] = division_.bucket(index);
    if (!shadow.empty()) {
      ops::convert(weights.columns(begin, end - begin), shadow.columns(begin, end - begin));
    }
  }
}

void GradientSum::exchange_embeddings() {
  const size_t count = model_.touched_rows().size();
  for (size_t i = 0; i < count; ++i) {
    const TrainableModel::TouchedRows touched = model_.touched_rows()[i];
    const Tensor gradient = model_.gradients(touched.parameter);
    // Which rows any rank has.
    const auto words = static_cast<size_t>((gradient.rows + 63) / 64);
    std::vector<uint64_t> mine(words), all(words * static_cast<size_t>(group_.size()));
    for (const int32_t row : touched.rows) {
      mine[static_cast<size_t>(row / 64)] |= uint64_t{1} << (row % 64);
    }
    group_.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)));
    std::vector<int32_t> rows;
    for (size_t word = 0; word < words; ++word) {
      uint64_t bits = 0;
      for (size_t at = word; at < all.size(); at += words) bits |= all[at];
      for (; bits != 0; bits &= bits - 1) {
        rows.push_back(
            static_cast<int32_t>(word * 64 + static_cast<size_t>(std::countr_zero(bits))));
      }
    }
    model_.touch_rows(i, rows);
    std::vector<float> packed(rows.size() * static_cast<size_t>(gradient.cols));
    for (size_t r = 0; r < rows.size(); ++r) {
      std::copy_n(gradient.row<float>(rows[r]), gradient.cols,
                  packed.begin() + static_cast<std::ptrdiff_t>(r) * gradient.cols);
    }
    for (int64_t begin = 0; begin < std::ssize(packed); begin += kRowsBucket) {
      const int64_t size = std::min(kRowsBucket, std::ssize(packed) - begin);
      exchange(packed.data() + begin, even_pieces(size, group_.size()), /*gives_back=*/true);
    }
    for (size_t r = 0; r < rows.size(); ++r) {
      std::copy_n(packed.begin() + static_cast<std::ptrdiff_t>(r) * gradient.cols, gradient.cols,
                  gradient.row<float>(rows[r]));
    }
  }
}

}  // namespace spanforge
