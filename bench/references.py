"""The alternatives' sides of bench.sh's workloads, one per subcommand, with the protocol of harness.py.

    references.py tokenizer MODEL TEXTS encode_batch|encode_batch_fast
    references.py nbest LOGITS WINDOWS TOKENS COUNT loops|numpy
    references.py squad CASE
    references.py load FILE
"""
import json
import sys
import time


def answer_runs(run):
    print("ready", flush=True)
    for line in sys.stdin:
        part = [int(word) for word in line.split()[1:]]
        start = time.perf_counter()
        result = run(*part)
        result.setdefault("seconds", time.perf_counter() - start)
        print(json.dumps(result), flush=True)


def tokenizer(model, texts, method):
    from transformers import AutoTokenizer, BertTokenizerFast
    import os
    make = AutoTokenizer if os.path.exists(os.path.join(model, "config.json")) else BertTokenizerFast
    backend = make.from_pretrained(model).backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    with open(texts, encoding="utf-8") as file:
        texts = json.load(file)
    encode = getattr(backend, method)

    def run():
        start = time.perf_counter()
        encodings = encode(texts)
        return {"seconds": time.perf_counter() - start, "tokens": sum(map(len, encodings)) - 2 * len(encodings)}
    answer_runs(run)


def nbest_by_loops(start, end, ratio=0.4, best=10):
    """The recipe: every pair that is allowed, its joint probability, a sort."""
    import torch
    start = torch.log_softmax(torch.from_numpy(start), dim=0).tolist()
    end = torch.log_softmax(torch.from_numpy(end), dim=0).tolist()
    longest = int(len(start) * ratio)
    candidates = []
    for s in range(len(start)):
        for e in range(s, min(s + longest, len(end))):
            candidates.append((start[s] + end[e], s, e))
    candidates.sort(key=lambda c: c[0], reverse=True)
    return [(s, e) for _, s, e in candidates[:best]]


def nbest_by_numpy(start, end, ratio=0.4, best=10):
    """The same with the whole S x S matrix in numpy, as a careful Python programmer would write it."""
    import numpy as np

    def log_softmax(x):
        x = x.astype(np.float64)
        top = x.max()
        return x - top - np.log(np.exp(x - top).sum())
    joint = log_softmax(start)[:, None] + log_softmax(end)[None, :]
    distance = np.arange(len(end))[None, :] - np.arange(len(start))[:, None]
    joint[(distance < 0) | (distance >= int(len(start) * ratio))] = -np.inf
    flat = joint.ravel()
    top = np.argpartition(flat, -best)[-best:]
    top = top[np.argsort(-flat[top], kind="stable")]
    return [divmod(int(i), len(end)) for i in top]


def nbest(logits, windows, tokens, count, method):
    import numpy as np
    import torch
    torch.set_num_threads(1)
    values = np.fromfile(logits, dtype=np.float32).reshape(2, int(windows), int(tokens))
    search = {"loops": nbest_by_loops, "numpy": nbest_by_numpy}[method]
    chosen = range(int(windows) - int(count), int(windows))

    def run():
        for w in chosen:
            last = search(values[0, w], values[1, w])
        return {"last": last}
    answer_runs(run)


def squad(case):
    """squad_v2's script as transformers vendors it: the functions of evaluate's metric."""
    import types
    from transformers.data.metrics.squad_metrics import squad_evaluate
    with open(case, encoding="utf-8") as file:
        case = json.load(file)
    examples = [types.SimpleNamespace(qas_id=key, answers=[{"text": t} for t in texts])
                for key, texts in case["golds"].items()]

    def run():
        scores = squad_evaluate(examples, case["predictions"], no_answer_probs=case["odds"])
        return {key: scores[key] for key in ("exact", "f1", "best_f1")}
    answer_runs(run)


def load(path):
    import torch
    from safetensors.torch import load_file

    def run():
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        if not all(bool(torch.isfinite(t).all()) for t in tensors.values()):
            raise ValueError("a value is not finite")
        return {"bytes": sum(t.numel() * t.element_size() for t in tensors.values())}
    answer_runs(run)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
