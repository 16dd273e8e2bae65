"""Every family of families.py against transformers: logits, losses and gradients; the same with dropout,
with our masks in the reference; weights in several forms; directories that we save, loaded there and
back; a Trainer's run; int8.

usage: oracle_families.py --bin DIR [--family NAME] [--check NAME] [--self-test]
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
from oracle_model import LOGITS_TOLERANCE, Driver, Failures, largest_logit_difference, reference
from oracle_trainer import compare_runs, make_data, run_hf, run_ours, save_tokenizer
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForQuestionAnswering

from families import FAMILIES

GRADIENT_TOLERANCE = 1e-5  # of a tensor's largest element
TRAINER_TOLERANCE = 1e-4


def make_config(family, hidden=24, layers=3, heads=3, inner=40, dropout=0.0, longest=None, **changes):
    """longest: tokens of a window, if not the family's own."""
    sizes = family.sizes(hidden=hidden, layers=layers, heads=heads, inner=inner, hidden_dropout=dropout,
                         attention_dropout=dropout)
    config = AutoConfig.for_model(family.model_type, **{
        **dict(vocab_size=101, initializer_range=0.15), **sizes,
        **{key: value if dropout else 0.0 for key, value in family.dropout.items()}, **family.extra, **changes})
    config.max_position_embeddings = family.rows_of_positions(config, longest)
    return config


def make_model(family, config, seed):
    """Biases and norms are random, too, so that a swapped or forgotten one is noticed."""
    torch.manual_seed(seed)
    config._attn_implementation = "eager"
    model = AutoModelForQuestionAnswering.from_config(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 1:
                module, _, kind = name.rpartition(".")
                is_scale = kind == "weight" and module.endswith(family.norms)
                p.copy_(torch.randn(p.shape, generator=generator) * 0.2 + is_scale)
    return model


def make_windows(config, lengths, seed):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    types = getattr(config, "type_vocab_size", 0)
    windows = []
    for length in lengths:
        ids = [draw(0, config.vocab_size) for _ in range(length)]
        if length > 6:
            ids[3] = ids[5] = config.pad_token_id  # [PAD] written in a text
        split = draw(1, length) if length > 1 else 1
        windows.append({"input_ids": ids, "start": draw(0, length), "end": draw(0, length),
                        "token_type_ids": [0 if t < split or types < 2 else 1 for t in range(length)]})
    return windows


class Exact:
    """The reference in float64, so that rounding errors are ours."""

    def __init__(self, model):
        self.model = model.double()
        self.config = model.config

    def run(self, windows):
        return reference(self.model, windows, types=getattr(self.config, "type_vocab_size", 0) > 0)


def compare(name, family, out, expected, failures):
    logits, losses, gradients = expected
    before = len(failures)
    worst_logit = largest_logit_difference(out["logits"], logits) if logits else 0.0
    failures.check(worst_logit <= LOGITS_TOLERANCE, f"{name}: logits differ by {worst_logit:.2e}")
    worst_loss = max(abs(a - b) / max(abs(b), 1e-3) for a, b in zip(out["losses"], losses, strict=True))
    failures.check(worst_loss <= LOGITS_TOLERANCE, f"{name}: losses differ by {worst_loss:.2e}")
    failures.check(set(out["gradients"]) == set(gradients), f"{name}: names of gradients differ: "
                   f"{sorted(set(out['gradients']) ^ set(gradients))}")
    zero = family.zero_ends(out["config"])
    scale = max(g.abs().max().item() for g in gradients.values())
    worst, worst_name = 0.0, ""
    for key, theirs in gradients.items():
        ours = out["gradients"].get(key)
        if ours is None or ours.shape != theirs.shape:
            failures.check(False, f"{name}: no gradient like {key}")
            continue
        size = scale if key.endswith(zero) else max(theirs.abs().max().item(), 1e-3 * scale)
        difference = (ours - theirs).abs().max().item() / size
        if difference > worst:
            worst, worst_name = difference, key
        failures.check(difference <= GRADIENT_TOLERANCE, f"{name}: gradient of {key} differs by {difference:.2e}")
    word = "ok" if len(failures) == before else "not ok"
    print(f"{word} {name}: logits {worst_logit:.1e}, loss {worst_loss:.1e}, {len(gradients)} gradients {worst:.1e}"
          f" ({worst_name})")


def check_gradients(driver, family, work, failures):
    for i, changes in enumerate([{}, *family.variants]):
        config = make_config(family, **changes)
        model = make_model(family, config, i)
        directory = work / f"gradients{i}"
        model.save_pretrained(directory)
        windows = make_windows(config, [9, 1, 33, family.longest, 2, 17], seed=i)
        exact = Exact(model)
        for title, batch in [("", None), (", accumulated", 2)]:
            out = driver.run(directory, windows, work, batch=batch)
            out["config"] = config.to_dict()
            compare(f"{family.model_type} {changes or ''}{title}", family, out, exact.run(windows), failures)


@contextlib.contextmanager
def dropping_by(masks):
    """Makes every dropout of torch take the next mask instead of drawing one."""
    drawn = torch.nn.functional.dropout
    left = list(masks)

    def take(x, p=0.5, training=True, inplace=False):
        if not training or p == 0:
            return x
        mask = left.pop(0)
        return x * mask.reshape(x.shape).to(x.dtype) / (1 - p)

    torch.nn.functional.dropout = take
    try:
        yield left
    finally:
        torch.nn.functional.dropout = drawn


def reference_dropping(model, windows, masks, types):
    """As oracle_model.reference, in training and with masks[w] for window w."""
    model.train()
    model.zero_grad()
    losses = []
    for w, own in zip(windows, masks, strict=True):
        with dropping_by(own) as left:
            given = {"token_type_ids": torch.tensor([w["token_type_ids"]])} if types else {}
            out = model(input_ids=torch.tensor([w["input_ids"]]), start_positions=torch.tensor([w["start"]]),
                        end_positions=torch.tensor([w["end"]]), **given)
        if left:
            raise RuntimeError(f"{len(left)} of our dropout sites are not the reference's")
        (out.loss / len(windows)).backward()
        losses.append(out.loss.item())
    return [], losses, {n: p.grad for n, p in model.named_parameters()}


def check_dropout(driver, family, work, failures):
    for i, changes in enumerate([{}, *family.dropout_variants]):
        check_dropout_of(driver, family, changes, work, work / f"dropout{i}", failures)


def check_dropout_of(driver, family, changes, work, directory, failures):
    config = make_config(family, dropout=0.2, **{family.keys["attention_dropout"]: 0.4}, **changes)
    model = make_model(family, config, 5)
    model.save_pretrained(directory)
    windows = make_windows(config, [21, 40, 7], seed=5)
    out = driver.run(directory, windows, work)
    out["config"] = config.to_dict()
    done = driver.call("masks", directory, work / "windows.json", work / "masks.safetensors")
    if done.returncode != 0:
        raise RuntimeError(f"model_driver masks: {done.stderr.strip()}")
    stored = load_file(work / "masks.safetensors")
    masks = [[stored[f"{w}.{n}"] for n in range(sum(k.startswith(f"{w}.") for k in stored))]
             for w in range(len(windows))]
    kept = torch.cat([m.flatten() for own in masks for m in own]).mean().item()
    failures.check(0.5 < kept < 0.85, f"{family.model_type}: masks keep {kept:.2f}")
    types = getattr(config, "type_vocab_size", 0) > 0
    try:
        expected = reference_dropping(model.double(), windows, masks, types)
    except (RuntimeError, IndexError) as error:
        failures.check(False, f"{family.model_type}: dropout sites: {error}")
        return
    compare(f"{family.model_type} {changes or ''}, {len(masks[0])} dropout masks", family, out, expected, failures)


def check_files(driver, family, work, failures):
    """Forms of weights that we read; our saved files, read by transformers, and again by us."""
    name = family.model_type
    config = make_config(family, custom_key={"kept": [1, 2]})
    model = make_model(family, config, 11)
    windows = make_windows(config, [21, 40], seed=5)
    logits, _, _ = Exact(model).run(windows)
    model.float()
    state = {k: v.detach().clone() for k, v in model.state_dict().items()}
    bare = {k.removeprefix(family.prefix): v for k, v in state.items()}
    for form, weights in [("bare", bare), ("behind module.", {"module." + k: v for k, v in state.items()})]:
        directory = work / form.replace(" ", "_")
        directory.mkdir()
        (directory / "config.json").write_text(config.to_json_string())
        torch.save(weights, directory / "pytorch_model.bin")
        out = driver.run(directory, windows, work, gradients=False)
        worst = largest_logit_difference(out["logits"], logits)
        failures.check(worst <= LOGITS_TOLERANCE, f"{name}, {form}: logits differ by {worst:.2e}")
        failures.check(not out["unused"] and not out["initialized"],
                       f"{name}, {form}: unused {out['unused']}, made new {out['initialized']}")
    done = driver.call("copy", work / "bare", work / "saved")
    failures.check(done.returncode == 0, f"{name}, copy: {done.stderr}")
    loaded, info = AutoModelForQuestionAnswering.from_pretrained(work / "saved", output_loading_info=True)
    failures.check(not info["missing_keys"] and not info["unexpected_keys"], f"{name}, saved: {info}")
    failures.check(type(loaded) is type(model), f"{name}, saved: it is a {type(loaded).__name__}")
    for key, value in state.items():
        failures.check(torch.equal(loaded.state_dict()[key], value), f"{name}, saved: {key} changed")
    written, before = json.loads((work / "saved" / "config.json").read_text()), json.loads(config.to_json_string())
    for key, value in before.items():
        if key not in ("torch_dtype", "dtype", "transformers_version", "architectures"):
            failures.check(written.get(key) == value, f"{name}, saved: {key} is {written.get(key)!r}, was {value!r}")
    added = set(written) - set(before) - {"architectures", "torch_dtype", "dtype"}
    own = set(AutoConfig.for_model(name).to_dict())
    failures.check(added <= own, f"{name}, saved: keys of another family: {sorted(added - own)}")
    failures.check(written["architectures"] == [type(model).__name__], f"{name}, saved: {written['architectures']}")
    again = driver.run(work / "saved", windows, work, gradients=False)
    first = driver.run(work / "bare", windows, work, gradients=False)
    failures.check(again["logits"] == first["logits"], f"{name}: logits of the saved model differ")
    near = largest_logit_difference(driver.run(work / "saved", windows, work, gradients=False, bf16=True)["logits"],
                                    logits)
    failures.check(1e-6 < near < 0.05, f"{name} in bf16: logits differ by {near:.2e}")
    # A config.json with only the family has its class's defaults.
    (work / "bare_config.json").write_text(json.dumps({"model_type": name}))
    ours = json.loads(driver.call("config", work / "bare_config.json").stdout)
    theirs = AutoConfig.for_model(name).to_dict()
    for key, value in ours.items():
        if key not in ("architectures", "torch_dtype"):
            failures.check(theirs.get(key) == value, f"{name}: default of {key} is {value!r}, theirs {theirs.get(key)!r}")
    # The base model: its head is new, and weights that we do not use are named.
    base = work / "base"
    AutoModel.from_config(config).save_pretrained(base)
    _, info = AutoModelForQuestionAnswering.from_pretrained(base, output_loading_info=True)
    out = driver.run(base, windows, work, gradients=False)
    failures.check(out["unused"] == sorted(info["unexpected_keys"]), f"{name}: unused {out['unused']}, transformers "
                   f"{info['unexpected_keys']}")
    failures.check(out["initialized"] == sorted(info["missing_keys"]), f"{name}: new {out['initialized']}")
    print(f"ok {name}: forms, saved directory, defaults, base model")


def check_training(driver, family, work, failures):
    """20 steps and more of the Trainer; resuming from its checkpoint; a resumed run equals the whole one to the bit; int8."""
    name, program = family.model_type, driver.program.parent / "spanforge"
    model = work / "trained"
    words = save_tokenizer(model)
    config = make_config(family, hidden=32, layers=2, heads=4, inner=64, vocab_size=words, initializer_range=0.02,
                         pad_token_id=0)
    torch.manual_seed(family.seed)
    AutoModelForQuestionAnswering.from_config(config).save_pretrained(model)
    make_data(work / "train.json", 1, 96)
    make_data(work / "validation.json", 2, 10)
    options = dict(max_steps=24, weight_decay=0.1)
    theirs = run_hf(model, work / "train.json", work / "hf", options, save_strategy="steps", save_steps=10)
    ours = run_ours(program, model, work / "train.json", work / "ours", options, "--save-steps", "10", "--report-to",
                    "none")
    undetermined = family.zero_ends(config.to_dict())
    for line in compare_runs(f"{name}, Trainer", theirs, ours, TRAINER_TOLERANCE, undetermined):
        failures.check(False, line)
    # The Trainer's optimizer.pt numbers parameters in the order in which the family's classes declare them.
    tail = {step: line for step, line in theirs[0].items() if step > 10}
    on_theirs = run_ours(program, model, work / "train.json", work / "on-theirs", options, "--save-strategy", "no",
                         "--report-to", "none", "--resume-from-checkpoint", work / "hf/checkpoint-10")
    for line in compare_runs(f"{name}, ours resumes from the Trainer's", (tail, theirs[1]), on_theirs,
                             TRAINER_TOLERANCE, undetermined):
        failures.check(False, line)
    resumed = run_ours(program, model, work / "train.json", work / "resumed", options, "--save-steps", "10",
                       "--report-to", "none", "--resume-from-checkpoint", work / "ours/checkpoint-10")
    same = all(torch.equal(resumed[1][key], value) for key, value in ours[1].items())
    failures.check(same and len(ours[1]) > 10, f"{name}: a resumed run has other weights")
    done = subprocess.run([program, "model", "convert", "--model", work / "ours/trained", "--int8",
                           "--calibrate", work / "train.json", "--validation", work / "validation.json", "--max-drop",
                           "50", "--output", work / "int8"], capture_output=True, text=True)
    failures.check(done.returncode == 0, f"{name}, int8: {done.stderr.strip()[-300:]}")
    for directory in ("ours/trained", "int8"):
        done = subprocess.run([program, "evaluate", "--model", work / directory, "--data", work / "validation.json"],
                              capture_output=True, text=True)
        failures.check(done.returncode == 0, f"{name}, evaluate {directory}: {done.stderr.strip()[-300:]}")
    print(f"ok {name}: training, resuming, int8")


CHECKS = {"gradients": check_gradients, "dropout": check_dropout, "files": check_files, "training": check_training}


def run_all(driver, families, checks):
    failures = Failures()
    for family in families:
        for check in checks:
            with tempfile.TemporaryDirectory() as folder:
                check(driver, family, pathlib.Path(folder), failures)
    return failures


def self_test(folder, families):
    """Each planted fault must be noticed, in the first family and the last."""
    def gradient(out):
        for key in out.get("gradients", {}):
            if key.endswith("embeddings.weight"):
                out["gradients"][key] *= 1.0001

    def logit(out):
        out["logits"][-1]["end"][0] += 1e-3

    def loss(out):
        out["losses"][0] *= 1.001

    missed = []
    for family in families[::max(1, len(families) - 1)]:
        plants = [("gradient", gradient, check_gradients), ("logit", logit, check_gradients),
                  ("loss", loss, check_dropout)]
        for name, plant, check in plants:
            if not run_all(Driver(folder, plant), [family], [check]):
                missed.append(f"{family.model_type}: {name}")
        # Another place of dropout: the reference gets one mask less.
        one_less = Driver(folder)
        call = one_less.call

        def without_last(*arguments):
            done = call(*arguments)
            if arguments[0] == "masks":
                stored = load_file(arguments[3])
                last = max(int(k.split(".")[1]) for k in stored)
                save_file({k: v for k, v in stored.items() if not k.endswith(f".{last}")}, arguments[3])
            return done

        one_less.call = without_last
        if not run_all(one_less, [family], [check_dropout]):
            missed.append(f"{family.model_type}: a dropout site")
    print(f"FAILED: planted faults not seen: {missed}" if missed else "passed: every planted fault was seen")
    return bool(missed)


def run_program(document, driver, checks, self_test, passed):
    """main() of an oracle over families. driver: makes a Driver of the programs' folder; checks: by their names."""
    parser = argparse.ArgumentParser(description=document)
    parser.add_argument("--bin", required=True, help="folder of the built programs")
    parser.add_argument("--family", choices=[family.model_type for family in FAMILIES], help="this one only")
    parser.add_argument("--check", choices=list(checks), help="this one only")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    families = [family for family in FAMILIES if options.family in (None, family.model_type)]
    if options.self_test:
        return self_test(options.bin, families)
    chosen = [check for name, check in checks.items() if options.check in (None, name)]
    failures = run_all(driver(options.bin), families, chosen)
    print(f"FAILED: {len(failures)} differences" if failures else f"passed: {passed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(run_program(__doc__, Driver, CHECKS, self_test, "every family equals transformers'"))
