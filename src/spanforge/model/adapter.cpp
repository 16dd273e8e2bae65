#include "spanforge/model/adapter.h"

#include "spanforge/ops/dropout_apply.h"
#include "spanforge/ops/elementwise.h"
#include "spanforge/ops/gemm.h"
#include "spanforge/ops/linear.h"

namespace spanforge {
namespace {

Tensor dropped(const AdapterContext& context, const ops::Dropout& dropout, const Tensor& x) {
  if (!dropout.active()) return x;
  const Tensor y = context.scratch.allocate(x.dtype, x.rows, x.cols);
  ops::apply_dropout(x, dropout, y);
  return y;
}

// scale * A x, which B multiplies.
Tensor low_rank(const AdapterContext& context, const AdapterPart<Tensor>& adapter,
                const Tensor& x) {
  const Tensor u = context.scratch.allocate(x.dtype, x.rows, adapter.a.rows);
  ops::linear(x, adapter.a, Tensor(), u);  // [T,R] lora_A
  ops::scale(u, context.scale);
  return u;
}

}  // namespace

void adapters_forward(const AdapterContext& context, std::span<const AdapterPart<Tensor>> adapters,
                      const Tensor& x, const Tensor& y) {
  const size_t mark = context.scratch.mark();
  for (const AdapterPart<Tensor>& adapter : adapters) {
    const ops::Dropout dropout =
        context.dropout.at_adapter(context.layer, context.site, adapter.site);
    const Tensor u = low_rank(context, adapter, dropped(context, dropout, x));
    ops::gemm(u, adapter.b, y.columns(adapter.first_output, adapter.b.rows),
              {.b = ops::Transpose::kYes, .accumulate = true});  // [T,out] lora_B
    context.scratch.release(mark);
  }
}

void adapters_backward(const AdapterContext& context, std::span<const AdapterPart<Tensor>> adapters,
                       const Tensor& x, const Tensor& dy, const Tensor& dx, bool add_to_matrices,
                       std::span<const AdapterPart<Tensor>> g) {
  const size_t mark = context.scratch.mark();
  for (size_t i = 0; i < adapters.size(); ++i) {
    const AdapterPart<Tensor>& adapter = adapters[i];
    const ops::Dropout dropout =
        context.dropout.at_adapter(context.layer, context.site, adapter.site);
    const Tensor input = dropped(context, dropout, x);
    const Tensor u = low_rank(context, adapter, input);
    const Tensor dout = dy.columns(adapter.first_output, adapter.b.rows);
    const Tensor du = context.scratch.allocate(x.dtype, x.rows, adapter.a.rows);
    ops::linear_backward(dout, u, adapter.b, du, g[i].b, Tensor(),
                         {.add_to_dweight = add_to_matrices});  // [T,R] lora_B
    ops::scale(du, context.scale);
    const bool drops = dropout.active() && !dx.empty();
    const Tensor dinput = drops ? context.scratch.allocate(x.dtype, x.rows, x.cols) : dx;
    ops::linear_backward(
        du, input, adapter.a, dinput, g[i].a, Tensor(),
        {.add_to_dx = !drops, .add_to_dweight = add_to_matrices});  // [T,in] lora_A
    if (drops) {
      ops::apply_dropout(dinput, dropout, dinput);
      ops::add(dinput, dx);
    }
    context.scratch.release(mark);
  }
}

}  // namespace spanforge
