"""Every operation, forward and backward, against PyTorch's; the optimisers step by step.

usage: oracle_ops.py --bin BUILD/bin [--self-test]
Prints one line per operation with the largest error. --self-test plants a wrong value in each result
and must notice each.
"""

import argparse
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from transformers import DebertaV2Config, ModernBertConfig, MPNetConfig
from transformers.models.deberta_v2 import modeling_deberta_v2 as deberta
from transformers.models.modernbert import modeling_modernbert as modernbert
from transformers.models.mpnet import modeling_mpnet as mpnet
from transformers.optimization import Adafactor

parser = argparse.ArgumentParser()
parser.add_argument("--bin", required=True, type=pathlib.Path)
parser.add_argument("--self-test", action="store_true")
arguments = parser.parse_args()
torch.manual_seed(7)
torch.set_num_threads(2)
failures, planted, seen = [], 0, 0


def write(path, matrices):
    with open(path, "wb") as file:
        for m in matrices:
            m = np.ascontiguousarray(m.detach().numpy() if torch.is_tensor(m) else m, np.float32)
            m = m.reshape(1, -1) if m.ndim == 1 else m
            file.write(np.array(m.shape, np.int64).tobytes() + m.tobytes())


def read(path):
    data, result, at = path.read_bytes(), [], 0
    while at < len(data):
        rows, cols = np.frombuffer(data, np.int64, 2, at)
        result.append(np.frombuffer(data, np.float32, rows * cols, at + 16).reshape(rows, cols))
        at += 16 + 4 * int(rows * cols)
    return result


def run(operation, inputs):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in", pathlib.Path(folder) / "out"
        write(source, inputs)
        subprocess.run([arguments.bin / "ops_driver", operation, source, target], check=True)
        return read(target)


def compare(name, got, wanted, tolerance):
    """Largest difference relative to the largest value wanted, for each result."""
    global planted, seen
    worst = 0.0
    for index, (ours, theirs) in enumerate(zip(got, wanted, strict=True)):
        theirs = theirs.detach().double().numpy()
        ours = ours.astype(np.float64).reshape(theirs.shape)
        scale = max(np.abs(theirs).max(), 1e-30)
        if arguments.self_test:
            wrong = ours.copy()
            wrong.flat[wrong.size // 2] += 3 * tolerance * scale
            planted += 1
            seen += np.abs(wrong - theirs).max() / scale > tolerance
        error = np.abs(ours - theirs).max() / scale
        worst = max(worst, error)
        if not error <= tolerance:
            failures.append(f"{name}, result {index}: {error:.3g} > {tolerance:g}")
    print(f"{name}: largest relative error {worst:.2e}")


def leaf(*shape, scale=1.0):
    return (torch.randn(*shape) * scale).requires_grad_()


def check_linear():
    x, w, b, dy = leaf(70, 96), leaf(130, 96, scale=0.1), leaf(130), torch.randn(70, 130)
    y = F.linear(x, w, b)
    y.backward(dy)
    compare("linear", run("linear", [x, w, b, dy]), [y, x.grad, w.grad, b.grad], 2e-6)


def check_activations():
    for number, (name, function) in enumerate(
        [("gelu", F.gelu), ("gelu_new", lambda v: F.gelu(v, approximate="tanh")), ("relu", F.relu)]
    ):
        x, bias, dy = leaf(90, 77, scale=3), leaf(77), torch.randn(90, 77)
        y = function(x + bias)
        y.backward(dy)
        got = run("activation", [np.array([number]), x, bias, dy])
        compare(name, got, [y, x.grad, bias.grad], 2e-6)


def check_layer_norm():
    for width in (5, 128, 384):
        x, bias, residual, dy = leaf(60, width), leaf(width), leaf(60, width), torch.randn(60, width)
        gamma, beta = leaf(width), leaf(width)
        y = F.layer_norm(x + bias + residual, (width,), gamma, beta, 1e-12)
        y.backward(dy)
        got = run("layer_norm", [np.array([1e-12]), x, bias, residual, gamma, beta, dy])
        wanted = [y, x.grad, gamma.grad, beta.grad, bias.grad]
        compare(f"layer_norm {width}", got, wanted, 5e-6)


def check_attention():
    for heads, size, lengths in [(4, 16, [1, 30, 77]), (2, 64, [384]), (3, 20, [50, 2, 129])]:
        hidden, tokens = heads * size, sum(lengths)
        qkv, dout = leaf(tokens, 3 * hidden), torch.randn(tokens, hidden)
        outs = []
        for window in torch.split(qkv, lengths):
            q, k, v = (t.view(-1, heads, size).transpose(0, 1) for t in window.split(hidden, dim=1))
            out = F.scaled_dot_product_attention(q[None], k[None], v[None])[0]
            outs.append(out.transpose(0, 1).reshape(-1, hidden))
        out = torch.cat(outs)
        out.backward(dout)
        ends = np.cumsum([0] + lengths)
        got = run("attention", [np.array([heads, 1 / math.sqrt(size)]), ends, qkv, dout])
        compare(f"attention {heads} x {size}", got, [out, qkv.grad], 5e-6)


def run_by_distance(heads, scale, reach, lengths, rows, keys, queries, biases, qkv, dout):
    none = np.zeros(1)
    tables = [none if t is None else t for t in (keys, queries, biases)]
    inputs = [np.array([heads, scale, reach]), np.cumsum([0] + lengths), rows, *tables, qkv, dout]
    return run("attention_by_distance", inputs)


def split_heads(qkv, heads):
    """q, k, v [1, heads, tokens, D] of qkv [tokens, 3 H]."""
    tokens, width = qkv.shape
    return (t.view(tokens, heads, -1).transpose(0, 1)[None] for t in qkv.split(width // 3, dim=1))


def check_modernbert_attention():
    """Its rotary positions, and its attention with the mask its model makes for the local window."""
    for heads, size, local, lengths in [(4, 16, 10, [1, 30, 77]), (2, 64, 128, [300, 5]), (3, 20, 2, [50, 129])]:
        hidden, tokens = heads * size, sum(lengths)
        config = ModernBertConfig(hidden_size=hidden, num_attention_heads=heads, local_attention=local,
                                  num_hidden_layers=2, intermediate_size=8, vocab_size=16, pad_token_id=0,
                                  attn_implementation="eager")
        model = modernbert.ModernBertModel(config)
        attention = model.layers[1].attn  # a local one
        assert attention.local_attention == (local // 2, local // 2)
        qkv, dout = leaf(tokens, 3 * hidden), torch.randn(tokens, hidden)
        outs, turned = [], []
        for window in torch.split(qkv, lengths):
            n = len(window)
            q, k, v = split_heads(window, heads)
            positions = torch.arange(n)[None]
            q, k = modernbert.apply_rotary_pos_emb(q, k, *attention.rotary_emb(q, positions))
            turned.append(torch.cat([t[0].transpose(0, 1).reshape(n, hidden) for t in (q, k, v)], dim=1))
            everything, mask = model._update_attention_mask(torch.ones(1, n, dtype=torch.long), False)
            outs.append(modernbert.eager_attention_forward(
                attention, window.view(1, n, 3, heads, size), everything, mask, positions,
                attention.local_attention, 1, hidden)[0][0])
        out, turned = torch.cat(outs), torch.cat(turned)
        dturned = torch.randn(tokens, 3 * hidden)
        (dback,) = torch.autograd.grad(turned, qkv, dturned, retain_graph=True)
        ends, theta = np.cumsum([0] + lengths), config.local_rope_theta
        ours = run("rotary", [np.array([heads, theta]), ends, qkv, dturned])
        compare(f"rotary {heads} x {size}", ours, [turned, dback], 1e-6)
        out.backward(dout)
        none = np.zeros(1)
        result = run_by_distance(heads, size**-0.5, local // 2, lengths, none, None, None, None, ours[0], dout)
        dqkv = run("rotary", [np.array([heads, theta]), ends, ours[0], result[1]])[1]
        compare(f"local attention {heads} x {size}, {local}", [result[0], dqkv], [out, qkv.grad], 5e-6)


def check_deberta_attention():
    for heads, size, buckets, longest, types in [(4, 16, 16, 64, "p2c|c2p"), (2, 64, 256, 512, "p2c|c2p"),
                                                 (3, 20, 8, 30, "c2p"), (2, 16, -1, 40, "p2c")]:
        hidden, n = heads * size, 300
        config = DebertaV2Config(hidden_size=hidden, num_attention_heads=heads, relative_attention=True,
                                 position_buckets=buckets, max_position_embeddings=longest, share_att_key=True,
                                 pos_att_type=types.split("|"), norm_rel_ebd="layer_norm")
        attention = deberta.DisentangledSelfAttention(config).eval()
        span = attention.pos_ebd_size
        x, table = torch.randn(n, hidden), torch.randn(2 * span, hidden)
        names = ("query_proj", "key_proj", "value_proj")
        # Taken right after the projections, so that their output's gradients are compared.
        seen = {name: [] for name in names}
        for name in names:
            def keep(_, __, output, name=name):
                output.retain_grad()
                seen[name].append(output)
            getattr(attention, name).register_forward_hook(keep)
        out = attention(x[None], torch.ones(1, 1, n, n), rel_embeddings=table)[0][0]
        dout = torch.randn(n, hidden)
        out.backward(dout)
        # First the tokens', then the table's.
        qkv = torch.cat([seen[name][0][0] for name in names], dim=1)
        dqkv = torch.cat([seen[name][0].grad[0] for name in names], dim=1)
        keys = seen["key_proj"][1] if "c2p" in types else None
        queries = seen["query_proj"][1] if "p2c" in types else None
        distances = torch.arange(1 - n, n)
        bucket = deberta.make_log_bucket_position(distances, buckets, longest) if buckets > 0 else distances
        rows = torch.clamp(bucket.long() + span, 0, 2 * span - 1)
        scale = (size * (1 + len(config.pos_att_type))) ** -0.5
        got = run_by_distance(heads, scale, -1, [n], rows,
                              *(None if t is None else t[0] for t in (keys, queries)), None, qkv, dout)
        tables = [(ours, theirs) for ours, theirs in ((got[2], keys), (got[3], queries)) if theirs is not None]
        compare(f"disentangled attention {heads} x {size}, {types}", got[:2] + [t[0] for t in tables],
                [out, dqkv] + [t[1].grad[0] for t in tables], 1e-5)


def check_mpnet_attention():
    for heads, size, n in [(4, 16, 200), (3, 20, 31)]:
        hidden = heads * size
        encoder = mpnet.MPNetEncoder(MPNetConfig(hidden_size=hidden, num_attention_heads=heads, num_hidden_layers=1))
        qkv, dout = leaf(n, 3 * hidden), torch.randn(n, hidden)
        q, k, v = split_heads(qkv, heads)
        bias = encoder.compute_position_bias(qkv[None])
        out = (torch.softmax(q @ k.transpose(2, 3) / math.sqrt(size) + bias, -1) @ v)[0]
        out = out.transpose(0, 1).reshape(n, hidden)
        out.backward(dout)
        weight = encoder.relative_attention_bias.weight  # [32, heads]
        rows = mpnet.MPNetEncoder.relative_position_bucket(-torch.arange(1 - n, n), num_buckets=32)
        got = run_by_distance(heads, size**-0.5, -1, [n], rows, None, None, weight.T, qkv, dout)
        compare(f"attention with biases {heads} x {size}", got[:2] + [got[4]], [out, qkv.grad, weight.grad.T], 1e-5)


def check_gated_activation():
    for number, (name, function) in enumerate(
        [("gelu", F.gelu), ("gelu_new", lambda v: F.gelu(v, approximate="tanh")), ("relu", F.relu)]
    ):
        x, dy = leaf(90, 2 * 77, scale=3), torch.randn(90, 77)
        u, g = x.chunk(2, dim=-1)
        y = function(u) * g
        y.backward(dy)
        compare(f"gated {name}", run("gated_activation", [np.array([number]), x, dy]), [y, x.grad], 2e-6)


def check_embedding():
    table, ids, dy = leaf(40, 50), torch.randint(0, 40, (200,)), torch.randn(200, 50)
    y = F.embedding(ids, table)
    y.backward(dy)
    compare("embedding", run("embedding", [table, ids, dy]), [y, table.grad], 1e-6)


def check_span_loss():
    lengths, starts, ends = [7, 1, 40], [2, 0, 39], [6, 0, 11]
    logits = leaf(sum(lengths), 2, scale=3)
    loss = 0
    for window, start, end in zip(torch.split(logits, lengths), starts, ends):
        loss = loss + 0.5 * F.cross_entropy(window[None, :, 0], torch.tensor([start]))
        loss = loss + 0.5 * F.cross_entropy(window[None, :, 1], torch.tensor([end]))
    (loss * 0.125).backward()
    inputs = [np.array([0.125]), logits, np.cumsum([0] + lengths), np.array(starts), np.array(ends)]
    compare("span_loss", run("span_loss", inputs), [loss.reshape(1, 1), logits.grad], 1e-6)


def check_adamw():
    # If several threads first call MKL's square root at the same time, one of them sometimes gets its
    # low-accuracy variant (about 1 process in 10 on a busy machine): one thread here.
    torch.set_num_threads(1)
    n, steps = 100_003, 6
    for lr, decay in [(3e-4, 0.0), (5e-5, 0.01), (1e-3, 0.1)]:
        p = torch.randn(n) * 0.05
        gradients = torch.randn(steps, n) * 10 ** torch.empty(steps, n).uniform_(-6, 1)
        parameter = torch.nn.Parameter(p.clone())
        optimizer = torch.optim.AdamW([parameter], lr=lr, weight_decay=decay)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        state = optimizer.state[parameter]
        got = run("adamw", [np.array([lr, decay, 1.0]), p, gradients])
        name = f"adamw lr {lr} decay {decay}"
        compare(name, got, [parameter, state["exp_avg"], state["exp_avg_sq"]], 1e-7)
        for label, ours, theirs in zip("mv", got[1:], (state["exp_avg"], state["exp_avg_sq"]), strict=True):
            if not np.array_equal(ours[0], theirs.numpy()):
                failures.append(f"{name}: {label} is not equal bit for bit")
        # torch's square root is MKL's, which does not always round correctly: last bits of p.
        differing = int((got[0][0] != parameter.detach().numpy()).sum())
        print(f"{name}: m and v compared bit for bit, p differs in {differing} of {n}")
        if differing > 0.05 * n:
            failures.append(f"{name}: p differs in {differing} of {n} places")


def check_sgd():
    n, steps = 100_003, 20
    for lr, decay in [(0.1, 0.0), (1e-3, 0.1)]:
        p, gradients = torch.randn(n), torch.randn(steps, n)
        parameter = torch.nn.Parameter(p.clone())
        optimizer = torch.optim.SGD([parameter], lr=lr, weight_decay=decay)
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        got = run("sgd", [np.array([lr, decay, 1.0]), p, gradients])
        compare(f"sgd lr {lr} decay {decay}", got, [parameter], 1e-7)
        if not np.array_equal(got[0][0], parameter.detach().numpy()):
            failures.append(f"sgd lr {lr} decay {decay}: p is not equal bit for bit")


def check_adafactor():
    """Matrices of many shapes, an embedding with few rows that have gradients, vectors."""
    steps = 20
    for (rows, cols), lr, decay, touched in [((96, 160), 1e-3, 0.0, None), ((2, 768), 5e-5, 0.1, None),
                                             ((700, 33), 1e-2, 0.01, None), ((500, 64), 1e-3, 0.1, [7, 3, 499, 0, 250]),
                                             ((500, 64), 1e-3, 0.0, [1]), ((1, 3000), 1e-3, 0.0, "vector")]:
        p = torch.randn(rows, cols) * 0.05
        gradients = torch.randn(steps, rows, cols) * 10 ** torch.empty(steps, rows, 1).uniform_(-6, 1)
        if isinstance(touched, list):
            mask = torch.zeros(rows, 1)
            mask[touched] = 1
            gradients *= mask
        vector = touched == "vector"
        parameter = torch.nn.Parameter(p.clone().reshape(-1) if vector else p.clone())
        optimizer = Adafactor([parameter], lr=lr, weight_decay=decay, scale_parameter=False, relative_step=False)
        for gradient in gradients:
            parameter.grad = gradient.clone().reshape(parameter.shape)
            optimizer.step()
        state = optimizer.state[parameter]
        inputs = [np.array([lr, decay, 1.0]), p, gradients.reshape(-1, cols)]
        if isinstance(touched, list):
            inputs.append(np.array(touched))
        got = run("adafactor_vector" if vector else "adafactor", inputs)
        kept = ["exp_avg_sq"] if vector else ["exp_avg_sq_row", "exp_avg_sq_col"]
        name = f"adafactor {rows} x {cols} lr {lr} decay {decay} {touched or ''}"
        compare(name, got, [parameter, *(state[key] for key in kept), state["RMS"].reshape(1)], 1e-6)


for check in (check_linear, check_activations, check_layer_norm, check_attention,
              check_modernbert_attention, check_deberta_attention, check_mpnet_attention, check_gated_activation,
              check_embedding, check_span_loss, check_adamw, check_sgd, check_adafactor):
    check()
if arguments.self_test:
    print(f"self-test: {seen} of {planted} planted faults were seen")
    sys.exit(0 if seen == planted and not failures else 1)
for failure in failures:
    print("DIFFERS", failure)
print("operations:", "equal to PyTorch's" if not failures else f"{len(failures)} differences")
sys.exit(1 if failures else 0)
