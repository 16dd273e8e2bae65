"""File formats against the packages that define them: safetensors, torch, TensorBoard, json.

    .venv/bin/python tests/oracle/oracle_formats.py --bin build/release/bin [--self-test]

Exits 1 on any difference. --self-test changes one answer of each kind before comparing and fails
unless every change is noticed.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
import numpy as np
import safetensors.torch
import torch

DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
          torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
          torch.uint8: "U8", torch.bool: "BOOL"}


class Checker:
    def __init__(self, driver, self_test):
        self.driver, self.self_test = driver, self_test
        self.count, self.failures, self.caught, self.planted = 0, [], 0, 0

    def run(self, *args, text=None):
        done = subprocess.run([self.driver, *map(str, args)], input=text, capture_output=True,
                              text=True, encoding="utf-8")
        if done.returncode != 0:
            raise SystemExit(f"formats_driver {args}: {done.stderr.strip()}")
        return done.stdout

    def equal(self, what, ours, theirs):
        self.count += 1
        if self.self_test:
            self.planted += 1
            ours = spoil(ours)
            self.caught += ours != theirs
        elif ours != theirs:
            self.failures.append(f"{what}: {str(ours)[:300]} != {str(theirs)[:300]}")


def spoil(value):
    """The same value with one small thing changed."""
    if isinstance(value, bytes):
        return value[:-1] if value else b"x"
    if isinstance(value, str):
        return value[:-1] if value else "x"
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, list):
        return value[:-1] + [spoil(value[-1])] if value else [0]
    if isinstance(value, dict):
        key = next(iter(value), None)
        return {**value, key: spoil(value[key])} if value else {"x": 0}
    return "spoilt"


def tensor_bytes(tensor):
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes() if tensor.numel() else b""


def describe_tensor(tensor):
    return {"type": DTYPES[tensor.dtype], "shape": list(tensor.shape),
            "sha256": hashlib.sha256(tensor_bytes(tensor)).hexdigest()}


def describe(value):
    if value is None:
        return ["none"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["int", value]
    if isinstance(value, (float, np.floating)):
        return ["float", repr(float(value))]
    if isinstance(value, str):
        return ["str", value]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, torch.Tensor):
        return ["tensor", describe_tensor(value)]
    if isinstance(value, np.ndarray):
        raw = value.tobytes()
        kind = {"uint32": "U32", "float64": "F64", "int64": "I64"}[str(value.dtype)]
        return ["tensor", {"type": kind, "shape": list(value.shape),
                           "sha256": hashlib.sha256(raw).hexdigest()}]
    if isinstance(value, list):
        return ["list", [describe(v) for v in value]]
    if isinstance(value, tuple):
        return ["tuple", [describe(v) for v in value]]
    if isinstance(value, dict):
        return ["dict", [[describe(k), describe(v)] for k, v in value.items()]]
    raise TypeError(type(value))


def make_tensors(generator):
    tensors = {}
    for dtype in DTYPES:
        for shape in [(), (0,), (1,), (3, 5), (2, 0, 3), (7,)]:
            base = torch.randint(0, 100, shape, generator=generator)
            tensors[f"{dtype}/{shape}"] = base.to(dtype)
    tensors["名字 \"quoted\"\n\x7f"] = torch.arange(5, dtype=torch.float32)
    return tensors


def check_safetensors(check, directory, generator):
    tensors = make_tensors(generator)
    for name, metadata in [("pt", {"format": "pt"}), ("none", None)]:
        path = directory / f"{name}.safetensors"
        safetensors.torch.save_file(tensors, path, metadata)
        read = json.loads(check.run("describe-safetensors", path))
        check.equal(f"safetensors {name} tensors", read["tensors"],
                    {k: describe_tensor(v) for k, v in tensors.items()})
        check.equal(f"safetensors {name} metadata", read["metadata"], metadata or {})
        check.run("rewrite-safetensors", path, directory / "again.safetensors")
        check.equal(f"safetensors {name} bytes", (directory / "again.safetensors").read_bytes(),
                    path.read_bytes())


def make_torch_values(generator):
    tensors = make_tensors(generator)
    base = torch.randn(6, 4, generator=generator)
    linear = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.LayerNorm(3))
    optimizer = torch.optim.AdamW(linear.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 / (1 + step))
    linear(torch.randn(2, 4, generator=generator)).sum().backward()
    optimizer.step()
    schedule.step()
    return {
        "scalars": [None, True, False, 0, 1, -1, 255, 256, 65535, 65536, -(2**31), 2**31, 2**63 - 1,
                    -(2**63), 0.0, -0.0, 1e-300, float("inf"), "", "文", "a\x00b", b"", b"\x00\xff", (),
                    (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [[]], {}, {1: {"x": [1.5]}}],
        "tensors": tensors,
        "views": {"all": base, "row": base[2:4], "column": base[:, 1], "transposed": base.t(),
                  "expanded": base[:1].expand(5, 4), "strided": base[::2, ::3], "empty": base[:0]},
        "parameters": collections.OrderedDict(linear.state_dict()),
        "module parameters": {"w": torch.nn.Parameter(base)},
        "optimizer": optimizer.state_dict(),
        "scheduler": schedule.state_dict(),
        "rng": {"python": random.Random(3).getstate(),
                "numpy": np.random.RandomState(5).get_state(),
                "cpu": torch.Generator().manual_seed(9).get_state()},
        "numpy numbers": {"f": np.float64(0.25), "i": np.int64(-3)},
        "shape": [torch.Size([2, 3])],
        "default": collections.defaultdict(dict, {"a": {"b": 1}}),
    }


def plain(value):
    """How our reader describes values that JSON cannot express."""
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if not callable(v)}
    if isinstance(value, tuple):
        return tuple(plain(v) for v in value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def check_torch(check, directory, generator):
    for name, value in make_torch_values(generator).items():
        for form, options in [("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})]:
            path = directory / f"{name}-{form}.pt"
            torch.save(value, path, **options)
            ours = json.loads(check.run("describe-torch", path))
            check.equal(f"torch {form} {name}", ours, describe(plain(value)))
        if name == "rng":  # numpy's key array has no storage class of torch's
            continue
        again = directory / "again.pt"
        check.run("rewrite-torch", path, again)
        for weights_only in (True, False):
            check.equal(f"torch.load of ours, {name}",
                        describe(plain(torch.load(again, weights_only=weights_only))),
                        describe(plain(value)))
    weights = directory / "model"
    weights.mkdir()
    state = {f"layer.{i}.weight": torch.randn(3, i + 1, generator=generator) for i in range(4)}
    torch.save(collections.OrderedDict(state), weights / "pytorch_model.bin")
    check.equal("pytorch_model.bin", json.loads(check.run("describe-weights", weights)),
                {k: describe_tensor(v) for k, v in state.items()})


def check_resume(check, directory):
    """An optimizer state that we rewrote continues exactly like the original."""
    def train(state_path):
        torch.manual_seed(1)
        model = torch.nn.Linear(5, 2)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
        if state_path is not None:
            optimizer.load_state_dict(torch.load(state_path, weights_only=True))
        for step in range(3):
            model(torch.full((1, 5), float(step))).sum().backward()
            optimizer.step()
        return model.weight.detach(), optimizer.state_dict()

    _, state = train(None)
    torch.save(state, directory / "optimizer.pt")
    check.run("rewrite-torch", directory / "optimizer.pt", directory / "optimizer2.pt")
    check.equal("resumed weights", train(directory / "optimizer2.pt")[0].tolist(),
                train(directory / "optimizer.pt")[0].tolist())


def check_events(check, directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.compat.proto.event_pb2 import Event
    from torch.utils.tensorboard.summary import scalar, text

    path = check.run("write-events", directory / "events").strip()
    accumulator = EventAccumulator(str(directory / "events"))
    accumulator.Reload()
    scalars = {tag: [(e.wall_time, e.step, e.value) for e in accumulator.Scalars(tag)]
               for tag in sorted(accumulator.Tags()["scalars"])}
    wanted = {"train/loss": [(1000.25, 1, 0.5)], "zero": [(1000.5, 0, 0.0)],
              "eval/f1": [(1001.0, 12, float(np.float32(1e-30)))],
              "qa_rank/问题-1": [(1001.0, 12, -3.25)], "after": [(1005.0, 15, 7.0)]}
    check.equal("scalars", scalars, dict(sorted(wanted.items())))
    texts = {tag: [e.tensor_proto.string_val[0].decode() for e in accumulator.Tensors(tag)]
             for tag in sorted(accumulator.Tags()["tensors"])}
    check.equal("texts", texts, {"empty/text_summary": [""],
                                 "qa_debug/问题-1/text_summary": ["Answer: <答案> (Rank: 2)"]})
    check.equal("text plugin", sorted(accumulator.PluginTagToContent("text")), sorted(texts))

    # The records' bytes, against what torch.utils.tensorboard would have serialised.
    theirs = []
    for summary, step, time in [(scalar("train/loss", 0.5), 1, 1000.25), (scalar("zero", 0.0), 0, 1000.5),
                                (scalar("eval/f1", 1e-30), 12, 1001),
                                (scalar("qa_rank/问题-1", -3.25), 12, 1001),
                                (text("qa_debug/问题-1", "Answer: <答案> (Rank: 2)"), 12, 1002),
                                (text("empty", ""), 13, 1003), (scalar("after", 7), 15, 1005)]:
        event = Event(summary=summary, wall_time=time)
        event.step = step
        theirs.append(event.SerializeToString(deterministic=True))
    raw, ours, at = pathlib.Path(path).read_bytes(), [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at:at + 8], "little")
        ours.append(raw[at + 12:at + 12 + size])
        at += 16 + size
    first = Event.FromString(ours[0])
    check.equal("file version", first.file_version, "brain.Event:2")
    check.equal("event bytes", ours[1:], theirs)


def check_json(check):
    values = [None, True, 0, -1, 2**63, 0.1, 1e-5, 1e-4, 123456789012345680.0, 1e16, 9999999999999998.0, -0.0,
              5e-324, 1.7976931348623157e308, 1e22, 1e21, 100.0, 0.30000000000000004,
              "", "plain", "é 文 🙂 \x7f \x1f \b\f\n\r\t \" \\ / \u2028", "it's", 'say "it"', "both ' and \"",
              "\u200b\ufeff\u00ad\U000e0001\u0378", [], {}, [[], {}], [1, [2, {"b": 1, "a": [None]}]],
              {"z": 1, "a": {"文": "x", "B": [1.5, -2]}}]
    numbers = random.Random(11)
    values += [numbers.uniform(-1, 1) * 10.0 ** numbers.randint(-30, 30) for _ in range(2000)]
    values += ["".join(chr(numbers.choice([numbers.randint(1, 0xD7FF), numbers.randint(0xE000, 0x10FFFF)]))
                       for _ in range(20)) for _ in range(500)]
    lines = check.run("python-json", text=json.dumps(values)).rstrip("\n").split("\n")
    check.equal("answers", len(lines), len(values))
    for value, line in zip(values, lines):
        check.equal(f"json of {value!r}", json.loads(line),
                    {"dumps": json.dumps(value), "indented": json.dumps(value, indent=2, sort_keys=True),
                     "raw": json.dumps(value, ensure_ascii=False), "str": str(value)})


def check_random(check):
    for case in json.loads(check.run("torch-random")):
        generator = torch.Generator()
        generator.manual_seed(case["seed"])
        if "order" in case:
            check.equal(f"randperm {case['n']} seed {case['seed']}", case["order"],
                        torch.randperm(case["n"], generator=generator).tolist())
        else:
            for _ in range(case["draws"]):
                torch.randint(0, 2, (1,), generator=generator)  # 32 bits each
            check.equal(f"state after {case['draws']} draws, seed {case['seed']}", case["state"],
                        generator.get_state().numpy().tobytes().hex())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    check = Checker(str(pathlib.Path(args.bin) / "formats_driver"), args.self_test)
    generator = torch.Generator().manual_seed(20240607)
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        check_safetensors(check, directory, generator)
        check_torch(check, directory, generator)
        check_resume(check, directory)
        check_events(check, directory)
    check_json(check)
    check_random(check)
    if args.self_test:
        print(f"oracle_formats self-test: {check.caught} of {check.planted} planted faults noticed")
        return check.caught != check.planted
    for failure in check.failures[:20]:
        print("DIFFERS", failure)
    print(f"oracle_formats: {check.count} comparisons, {len(check.failures)} differ "
          f"(torch {torch.__version__}, safetensors {safetensors.__version__})")
    return bool(check.failures)


if __name__ == "__main__":
    sys.exit(main())
