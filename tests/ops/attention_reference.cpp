#include "ops/attention_reference.h"

#include <cmath>

namespace spanforge::testing {
namespace {

// One window under one head.
class Head {
 public:
  Head(const AttentionProblem& p, const Matrix& qkv, int64_t begin, int64_t length, int32_t head)
      : p_(p),
        qkv_(qkv),
        begin_(begin),
        length_(length),
        head_(head),
        probabilities_(length, length) {}

  void forward(AttentionResults& r) {
    for (int64_t i = 0; i < length_; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < length_; ++j) {
        if (sees(i, j)) sum += probabilities_(i, j) = std::exp(score(i, j));
      }
      r.lse(head_, begin_ + i) = std::log(sum);
      for (int64_t j = 0; j < length_; ++j) {
        probabilities_(i, j) /= sum;
        const double weight = probabilities_(i, j) * keep_factor(i, j);
        for (int64_t c = first(); c < last(); ++c) r.out(begin_ + i, c) += weight * v(j, c);
      }
    }
  }

  void backward(const Matrix& dout, AttentionResults& r) {
    const int64_t h = p_.hidden();
    for (int64_t i = 0; i < length_; ++i) {
      std::vector<double> dprobabilities(static_cast<size_t>(length_));
      double mean = 0;
      for (int64_t j = 0; j < length_; ++j) {
        const double keep = keep_factor(i, j);
        double& dprobability = dprobabilities[static_cast<size_t>(j)];
        for (int64_t c = first(); c < last(); ++c) {
          const double gradient = keep * dout(begin_ + i, c);
          r.dqkv(begin_ + j, 2 * h + c) += probabilities_(i, j) * gradient;
          dprobability += gradient * v(j, c);
        }
        mean += probabilities_(i, j) * dprobability;
      }
      for (int64_t j = 0; j < length_; ++j) {
        add_gradients(i, j, probabilities_(i, j) * (dprobabilities[static_cast<size_t>(j)] - mean),
                      r);
      }
    }
  }

 private:
  int64_t first() const { return head_ * p_.head_size; }
  int64_t last() const { return first() + p_.head_size; }
  double q(int64_t i, int64_t c) const { return qkv_(begin_ + i, c); }
  double k(int64_t j, int64_t c) const { return qkv_(begin_ + j, p_.hidden() + c); }
  double v(int64_t j, int64_t c) const { return qkv_(begin_ + j, 2 * p_.hidden() + c); }
  bool sees(int64_t i, int64_t j) const { return p_.reach < 0 || std::abs(i - j) <= p_.reach; }
  int64_t row(int64_t i, int64_t j) const {
    const auto middle = static_cast<int64_t>(p_.rows.size() / 2);
    return p_.rows[static_cast<size_t>(middle + i - j)];
  }
  double keep_factor(int64_t i, int64_t j) const {
    if (p_.p == 0) return 1;
    const auto column = static_cast<uint32_t>(head_ * 65536 + j);
    const uint64_t key = p_.dropout_keys[static_cast<size_t>(begin_ + i)];
    return ops::dropout_keeps(p_.dropout(), key, column) ? 1 / (1 - double{p_.p}) : 0;
  }

  double score(int64_t i, int64_t j) const {
    double sum = 0;
    for (int64_t c = first(); c < last(); ++c) {
      sum += q(i, c) * k(j, c);
      if (p_.keys.rows > 0) sum += q(i, c) * p_.keys(row(i, j), c);
      if (p_.queries.rows > 0) sum += k(j, c) * p_.queries(row(i, j), c);
    }
    sum *= double{p_.shape().scale};
    return p_.biases.rows > 0 ? sum + p_.biases(head_, row(i, j)) : sum;
  }

  void add_gradients(int64_t i, int64_t j, double dscore, AttentionResults& r) const {
    const double ds = dscore * double{p_.shape().scale};
    for (int64_t c = first(); c < last(); ++c) {
      double& dq = r.dqkv(begin_ + i, c);
      double& dk = r.dqkv(begin_ + j, p_.hidden() + c);
      dq += ds * k(j, c);
      dk += ds * q(i, c);
      if (p_.keys.rows > 0) {
        dq += ds * p_.keys(row(i, j), c);
        r.dkeys(row(i, j), c) += ds * q(i, c);
      }
      if (p_.queries.rows > 0) {
        dk += ds * p_.queries(row(i, j), c);
        r.dqueries(row(i, j), c) += ds * k(j, c);
      }
    }
    if (p_.biases.rows > 0) r.dbiases(head_, row(i, j)) += dscore;
  }

  const AttentionProblem& p_;
  const Matrix& qkv_;
  int64_t begin_, length_;
  int32_t head_;
  Matrix probabilities_;  // before dropout
};

}  // namespace

ops::AttentionShape AttentionProblem::shape() const {
  return {cu_seqlens, heads, 1.0f / std::sqrt(static_cast<float>(head_size)), reach, {}};
}

std::string AttentionProblem::describe() const {
  std::string text = "windows";
  for (size_t w = 1; w < cu_seqlens.size(); ++w) {
    text += " " + std::to_string(cu_seqlens[w] - cu_seqlens[w - 1]);
  }
  text += ", heads " + std::to_string(heads) + ", D " + std::to_string(head_size) + ", p " +
          std::to_string(p) + ", reach " + std::to_string(reach);
  if (keys.rows > 0) text += ", keys";
  if (queries.rows > 0) text += ", queries";
  if (biases.rows > 0) text += ", biases";
  return text;
}

AttentionProblem make_attention_problem(const std::vector<int32_t>& lengths, int32_t heads,
                                        int64_t head_size, float p) {
  AttentionProblem problem;
  problem.cu_seqlens = {0};
  problem.heads = heads;
  problem.head_size = head_size;
  problem.p = p;
  for (const int32_t length : lengths) {
    problem.cu_seqlens.push_back(problem.cu_seqlens.back() + length);
  }
  for (int32_t t = 0; t < problem.cu_seqlens.back(); ++t) {
    problem.dropout_keys.push_back(mix64(static_cast<uint64_t>(t)));
  }
  return problem;
}

AttentionResults attention_reference(const AttentionProblem& p, const Matrix& qkv,
                                     const Matrix& dout) {
  AttentionResults r{Matrix(p.tokens(), p.hidden()),         Matrix(p.heads, p.tokens()),
                     Matrix(p.tokens(), 3 * p.hidden()),     Matrix(p.keys.rows, p.keys.cols),
                     Matrix(p.queries.rows, p.queries.cols), Matrix(p.biases.rows, p.biases.cols)};
  for (size_t w = 0; w + 1 < p.cu_seqlens.size(); ++w) {
    for (int32_t a = 0; a < p.heads; ++a) {
      Head head(p, qkv, p.cu_seqlens[w], p.cu_seqlens[w + 1] - p.cu_seqlens[w], a);
      head.forward(r);
      head.backward(dout, r);
    }
  }
  return r;
}

}  // namespace spanforge::testing
