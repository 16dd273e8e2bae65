// Runs one operation on matrices from a file and writes its results to another, for oracle_ops.py.
// A file of matrices is, for each, two int64 (rows, columns) and the f32 values in row order.
// usage: ops_driver OPERATION INPUT OUTPUT; an operation's numbers are its first matrix.

#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "spanforge/base/error.h"
#include "spanforge/ops/activation.h"
#include "spanforge/ops/adafactor.h"
#include "spanforge/ops/attention.h"
#include "spanforge/ops/embedding.h"
#include "spanforge/ops/layer_norm.h"
#include "spanforge/ops/linear.h"
#include "spanforge/ops/optimizer.h"
#include "spanforge/ops/rotary.h"
#include "spanforge/ops/sgd.h"
#include "spanforge/ops/span_loss.h"

namespace {

using namespace spanforge;

struct Matrix {
  int64_t rows, cols;
  std::vector<float> values;
  Matrix(int64_t r, int64_t c) : rows(r), cols(c), values(static_cast<size_t>(r * c)) {}
  Tensor tensor() { return make_tensor(values.data(), rows, cols); }
  std::vector<int32_t> integers() const { return {values.begin(), values.end()}; }
};
using Matrices = std::vector<Matrix>;

Matrices read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  Matrices all;
  int64_t shape[2];
  while (file.read(reinterpret_cast<char*>(shape), sizeof shape)) {
    Matrix& m = all.emplace_back(shape[0], shape[1]);
    file.read(reinterpret_cast<char*>(m.values.data()),
              static_cast<std::streamsize>(m.values.size() * sizeof(float)));
  }
  return all;
}

void write(const std::string& path, const Matrices& all) {
  std::ofstream file(path, std::ios::binary);
  for (const Matrix& m : all) {
    const int64_t shape[2] = {m.rows, m.cols};
    file.write(reinterpret_cast<const char*>(shape), sizeof shape);
    file.write(reinterpret_cast<const char*>(m.values.data()),
               static_cast<std::streamsize>(m.values.size() * sizeof(float)));
  }
}

Matrix like(const Matrix& m) { return {m.rows, m.cols}; }

// x, W, b, dy -> y, dx, dW, db
Matrices linear(Matrices in) {
  Matrix &x = in[0], &w = in[1], &b = in[2], &dy = in[3];
  Matrices out = {like(dy), like(x), like(w), like(b)};
  ops::linear(x.tensor(), w.tensor(), b.tensor(), out[0].tensor());
  ops::linear_backward(dy.tensor(), x.tensor(), w.tensor(), out[1].tensor(), out[2].tensor(),
                       out[3].tensor());
  return out;
}

// {activation}, x, bias, dy -> y, dx, dbias
Matrices activation(Matrices in) {
  const auto which = static_cast<ops::Activation>(in[0].values[0]);
  Matrix &x = in[1], &bias = in[2], &dy = in[3];
  Matrices out = {like(x), like(x), like(bias)};
  ops::bias_activation(x.tensor(), bias.tensor(), which, out[0].tensor());
  ops::bias_activation_backward(dy.tensor(), x.tensor(), which, out[1].tensor(), out[2].tensor());
  return out;
}

// {eps}, x, bias, residual, gamma, beta, dy -> y, dx, dgamma, dbeta, dbias
Matrices layer_norm(Matrices in) {
  Matrix &x = in[1], &bias = in[2], &residual = in[3], &gamma = in[4], &beta = in[5], &dy = in[6];
  Matrices out = {like(x), like(x), like(gamma), like(beta), like(bias)};
  Matrix z = like(x), mean(1, x.rows), rstd(1, x.rows);
  const ops::LayerNormSaved saved{z.tensor(), mean.tensor(), rstd.tensor()};
  ops::bias_dropout_residual_layer_norm(x.tensor(), bias.tensor(), {}, residual.tensor(),
                                        gamma.tensor(), beta.tensor(), in[0].values[0], saved,
                                        out[0].tensor());
  ops::bias_dropout_residual_layer_norm_backward(dy.tensor(), saved, {}, gamma.tensor(),
                                                 out[1].tensor(), Tensor{}, out[2].tensor(),
                                                 out[3].tensor(), out[4].tensor());
  return out;
}

// {heads, scale}, cu_seqlens, qkv, dout -> out, dqkv
Matrices attention(Matrices in) {
  const std::vector<int32_t> cu_seqlens = in[1].integers();
  const auto heads = static_cast<int32_t>(in[0].values[0]);
  const ops::AttentionShape shape{cu_seqlens, heads, in[0].values[1]};
  Matrix &qkv = in[2], &dout = in[3];
  Matrices out = {like(dout), like(qkv)};
  Matrix lse(heads, qkv.rows);
  ops::attention(qkv.tensor(), shape, {}, out[0].tensor(), lse.tensor());
  ops::attention_backward(dout.tensor(), qkv.tensor(), out[0].tensor(), lse.tensor(), shape, {},
                          out[1].tensor());
  return out;
}

// {heads, scale, reach}, cu_seqlens, rows by distance, keys, queries, biases, qkv, dout -> out,
// dqkv, dkeys, dqueries, dbiases; a table of one element means none
Matrices attention_by_distance(Matrices in) {
  const std::vector<int32_t> cu_seqlens = in[1].integers(), rows = in[2].integers();
  const auto heads = static_cast<int32_t>(in[0].values[0]);
  Matrix &qkv = in[6], &dout = in[7];
  Matrices out = {like(dout), like(qkv), like(in[3]), like(in[4]), like(in[5])};
  Matrix lse(heads, qkv.rows);
  ops::AttentionShape shape{
      cu_seqlens, heads, in[0].values[1], static_cast<int32_t>(in[0].values[2]), {}};
  ops::RelativeGradients gradients;
  const auto add_term = [&](size_t table, Tensor& term, size_t gradient, Tensor& to) {
    if (in[table].values.size() == 1) return;
    shape.relative.rows = rows;
    term = in[table].tensor();
    to = out[gradient].tensor();
  };
  add_term(3, shape.relative.keys, 2, gradients.keys);
  add_term(4, shape.relative.queries, 3, gradients.queries);
  add_term(5, shape.relative.biases, 4, gradients.biases);
  ops::attention(qkv.tensor(), shape, {}, out[0].tensor(), lse.tensor());
  ops::attention_backward(dout.tensor(), qkv.tensor(), out[0].tensor(), lse.tensor(), shape, {},
                          out[1].tensor(), gradients);
  return out;
}

// {heads, theta}, cu_seqlens, qkv, dqkv -> both rotated
Matrices rotary(Matrices in) {
  const std::vector<int32_t> cu_seqlens = in[1].integers();
  const auto heads = static_cast<int32_t>(in[0].values[0]);
  const ops::RotaryAngles angles(in[0].values[1], in[2].cols / 3 / heads, in[2].rows);
  ops::rotate_queries_and_keys(in[2].tensor(), cu_seqlens, heads, angles);
  ops::rotate_queries_and_keys_backward(in[3].tensor(), cu_seqlens, heads, angles);
  return {in[2], in[3]};
}

// {activation}, x, dy -> y, dx
Matrices gated_activation(Matrices in) {
  const auto which = static_cast<ops::Activation>(in[0].values[0]);
  Matrices out = {like(in[2]), like(in[1])};
  ops::gated_activation(in[1].tensor(), which, out[0].tensor());
  ops::gated_activation_backward(in[2].tensor(), in[1].tensor(), which, out[1].tensor());
  return out;
}

// table, ids, dy -> y, dtable
Matrices embedding(Matrices in) {
  const std::vector<int32_t> ids = in[1].integers();
  Matrices out = {like(in[2]), like(in[0])};
  const ops::EmbeddingTable tables[] = {{in[0].tensor(), ids}};
  ops::embedding_sum(tables, out[0].tensor());
  ops::embedding_backward(in[2].tensor(), ids, out[1].tensor());
  return out;
}

// {gradient scale}, logits, cu_seqlens, starts, ends -> {loss}, dlogits
Matrices span_loss(Matrices in) {
  const std::vector<int32_t> cu = in[2].integers(), start = in[3].integers(),
                             end = in[4].integers();
  Matrices out = {Matrix(1, 1), like(in[1])};
  out[0].values[0] = static_cast<float>(
      ops::span_loss(in[1].tensor(), cu, start, end, in[0].values[0], out[1].tensor()));
  return out;
}

// {lr, weight decay, gradient scale}: the options as decimals, not as their nearest f32.
template <class Constants>
Constants constants_from(const Matrix& m) {
  Constants constants;
  constants.lr = std::stod(std::to_string(m.values[0]));
  constants.weight_decay = std::stod(std::to_string(m.values[1]));
  constants.gradient_scale = m.values[2];
  return constants;
}

// Constants, p, one row of gradients per step -> p, m, v
Matrices adamw(Matrices in) {
  auto constants = constants_from<ops::AdamWConstants>(in[0]);
  Matrices out = {in[1], like(in[1]), like(in[1])};
  for (int64_t step = 0; step < in[2].rows; ++step) {
    constants.step = step + 1;
    ops::adamw(out[0].tensor(), in[2].tensor().row_range(step, 1), out[1].tensor(), out[2].tensor(),
               Tensor{}, constants);
  }
  return out;
}

// Constants, p, one row of gradients per step -> p
Matrices sgd(Matrices in) {
  const auto constants = constants_from<ops::SgdConstants>(in[0]);
  for (int64_t step = 0; step < in[2].rows; ++step) {
    ops::sgd(in[1].tensor(), in[2].tensor().row_range(step, 1), Tensor{}, constants);
  }
  return {in[1]};
}

// Constants, p, the gradients of all steps below each other; and for adafactor_rows the rows that
// have any -> p, row, col, rms; of a vector p, v, rms
Matrices adafactor(Matrices in, bool vector) {
  auto constants = constants_from<ops::AdafactorConstants>(in[0]);
  Matrix &p = in[1], rms(1, 1), row(1, p.rows), col(1, p.cols);
  const std::vector<int32_t> rows = in.size() > 3 ? in[3].integers() : std::vector<int32_t>();
  for (int64_t first = 0; first < in[2].rows; first += p.rows, ++constants.step) {
    const Tensor gradient = in[2].tensor().row_range(first, p.rows);
    if (vector) {
      ops::adafactor_vector(p.tensor(), gradient, col.tensor(), rms.tensor(), constants);
    } else if (in.size() > 3) {
      ops::adafactor_rows(p.tensor(), gradient, row.tensor(), col.tensor(), rms.tensor(), rows,
                          constants);
    } else {
      ops::adafactor(p.tensor(), gradient, row.tensor(), col.tensor(), rms.tensor(), Tensor{},
                     constants);
    }
  }
  if (vector) return {p, col, rms};
  return {p, row, col, rms};
}

Matrices run(const std::string& operation, Matrices in) {
  if (operation == "linear") return linear(std::move(in));
  if (operation == "activation") return activation(std::move(in));
  if (operation == "layer_norm") return layer_norm(std::move(in));
  if (operation == "attention") return attention(std::move(in));
  if (operation == "attention_by_distance") return attention_by_distance(std::move(in));
  if (operation == "rotary") return rotary(std::move(in));
  if (operation == "gated_activation") return gated_activation(std::move(in));
  if (operation == "embedding") return embedding(std::move(in));
  if (operation == "span_loss") return span_loss(std::move(in));
  if (operation == "adamw") return adamw(std::move(in));
  if (operation == "sgd") return sgd(std::move(in));
  if (operation == "adafactor") return adafactor(std::move(in), /*vector=*/false);
  if (operation == "adafactor_vector") return adafactor(std::move(in), /*vector=*/true);
  throw Error(ErrorCode::kUsage, {.where = "ops_driver"}, "no operation is called " + operation);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 4)
      throw Error(ErrorCode::kUsage, {.where = "ops_driver"}, "takes OPERATION INPUT OUTPUT");
    write(argv[3], run(argv[1], read(argv[2])));
  } catch (const Error& error) {
    std::cerr << error.what() << "\n";
    return exit_code(error.code());
  }
}
