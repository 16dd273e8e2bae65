"""LoRA adapters of every family of families.py against PEFT: its adapters, used and trained further here;
adapters trained here, loaded there; dropout, with our masks in the reference; merging; resuming.

usage: oracle_lora.py --bin DIR [--family NAME] [--check NAME] [--self-test]
"""

import json
import pathlib
import subprocess
import sys

import torch
from oracle_families import (TRAINER_TOLERANCE, compare, dropping_by, make_config, make_model, make_windows, run_all,
                             run_program)
from oracle_model import LOGITS_TOLERANCE, Driver, largest_logit_difference, reference
from oracle_trainer import compare_runs, make_data, run_hf, run_ours, save_tokenizer
from peft import (AutoPeftModelForQuestionAnswering, LoraConfig, PeftModel, PeftModelForQuestionAnswering,
                  get_peft_model)
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import AutoModelForQuestionAnswering

from families import FAMILIES

MERGE_TOLERANCE = 1e-6
FRONT = "base_model.model."
WEIGHTS = "adapter_model.safetensors"


def forward_with_types(self, *arguments, **given):
    """PEFT's own ignores its token_type_ids; the merged model and PEFT's other classes use them."""
    return self.base_model(*arguments, **given)


PeftModelForQuestionAnswering.forward = forward_with_types


class Ours(Driver):
    """plant: changes the driver's answers, tamper: the tensors of a file that we wrote; for --self-test."""

    def __init__(self, folder, plant=None, tamper=None):
        super().__init__(folder, plant)
        self.spanforge = self.program.parent / "spanforge"
        self.tamper = tamper

    def command(self, *arguments):
        return subprocess.run([str(part) for part in (self.spanforge, *arguments)], capture_output=True, text=True)

    def tensors(self, file):
        stored = load_file(file)
        if self.tamper:
            self.tamper(stored)
        return stored


def linears(model):
    """Whole names of the linear layers except the head."""
    head = family_of(model).head
    return [name for name, module in model.named_modules()
            if isinstance(module, torch.nn.Linear) and name not in head]


def last(names, *letters):
    """The last parts of names, without repeats; letters: only those that begin with one of them."""
    ends = dict.fromkeys(name.rpartition(".")[2] for name in names)
    return [end for end in ends if not letters or end.startswith(letters)]


def family_of(model):
    return next(family for family in FAMILIES if family.model_type == model.config.model_type)


def query_and_value(model):
    return last(linears(model), *family_of(model).query_and_value)


def target_lists(model):
    """The targets of an adapter of LoraConfig, in all spellings."""
    names = linears(model)
    layers = sorted({name for name in names if "layer" in name})
    lists = {
        "query and value": dict(target_modules=query_and_value(model)),
        "every name": dict(target_modules=last(names), use_rslora=True),
        "all-linear": dict(target_modules="all-linear"),
        "one layer": dict(target_modules=[layers[-1].partition(".")[2]], lora_alpha=3),
        "a pattern": dict(target_modules=".*({})".format("|".join(query_and_value(model)))),
        "by number": dict(target_modules=last(names), layers_to_transform=[1]),
        "but for": dict(target_modules=last(names), exclude_modules=query_and_value(model)),
    }
    if not any(".1." in name for name in names):  # one set of weights for all layers
        del lists["by number"]
    return lists


def make_adapter(base, directory, seed, spread=0.1, **options):
    """PEFT's own, with random A, B and head (spread 0: as PEFT starts them), saved; the model is returned."""
    torch.manual_seed(seed)
    model = AutoModelForQuestionAnswering.from_pretrained(base, attn_implementation="eager")
    config = LoraConfig(**{**dict(task_type="QUESTION_ANS", r=4, lora_alpha=10,
                                  modules_to_save=list(family_of(model).head)),
                           **options})
    model = get_peft_model(model, config)
    if spread:
        with torch.no_grad():
            for name, p in model.named_parameters():
                if p.requires_grad:
                    p.copy_(torch.randn(p.shape) * spread)
    model.save_pretrained(directory)
    return model


def own_name(name):
    """Our name of a PeftModel's parameter."""
    return name.removeprefix(FRONT).replace(".modules_to_save.default.", ".").replace(".default.", ".")


def trained_gradients(model):
    return {own_name(name): p.grad for name, p in model.named_parameters() if p.requires_grad}


def has_types(config):
    return getattr(config, "type_vocab_size", 0) > 0


def run_peft(model, windows):
    """In float64, so that rounding errors are ours."""
    logits, losses, _ = reference(model.double(), windows, types=has_types(model.config))
    return logits, losses, trained_gradients(model)


def check_answers(ours, family, work, failures):
    """PEFT's adapters in every form: logits, losses and gradients; the program's answers compared with those
    of the merged model."""
    config = make_config(family)
    base = work / "base"
    make_model(family, config, 3).save_pretrained(base)
    windows = make_windows(config, [9, 1, 33, 17], seed=3)
    lists = target_lists(AutoModelForQuestionAnswering.from_pretrained(base))
    for i, (title, options) in enumerate(lists.items()):
        directory = work / f"adapter{i}"
        model = make_adapter(base, directory, i, **options)
        expected = run_peft(model, windows)
        out = ours.run(directory, windows, work)
        out["config"] = config.to_dict()
        compare(f"{family.model_type}, {title}", family, out, expected, failures)
    # Forms that tools write: PEFT's names with the adapter's, and a file of torch.save.
    model = make_adapter(base, work / "named", 1, target_modules=query_and_value(model.get_base_model()))
    logits, _, _ = run_peft(model, windows)
    state = {name: p.detach().float() for name, p in model.named_parameters() if p.requires_grad}
    (work / "named" / WEIGHTS).unlink()
    torch.save(state, work / "named/adapter_model.bin")
    worst = largest_logit_difference(ours.run(work / "named", windows, work, gradients=False)["logits"], logits)
    failures.check(worst <= LOGITS_TOLERANCE, f"{family.model_type}, torch.save: logits differ by {worst:.2e}")
    # A part of the head, or what PEFT saves of it by default; the rest is the base's.
    for i, modules in enumerate([[family.head[-1]], None]):
        model = make_adapter(base, work / f"part{i}", 1, modules_to_save=modules,
                             target_modules=lists["query and value"]["target_modules"])
        out = ours.run(work / f"part{i}", windows, work, gradients=False)
        worst = largest_logit_difference(out["logits"], run_peft(model, windows)[0])
        failures.check(worst <= LOGITS_TOLERANCE, f"{family.model_type}, saved {modules}: logits differ by {worst:.2e}")
        failures.check(not out["initialized"], f"{family.model_type}, saved {modules}: new {out['initialized']}")


def reference_dropping(model, windows, masks):
    """As run_peft, in training and with masks[w] for window w."""
    model.double().train()
    model.zero_grad()
    losses = []
    for w, own in zip(windows, masks, strict=True):
        given = {"token_type_ids": torch.tensor([w["token_type_ids"]])} if has_types(model.config) else {}
        with dropping_by(own) as left:
            out = model(input_ids=torch.tensor([w["input_ids"]]), start_positions=torch.tensor([w["start"]]),
                        end_positions=torch.tensor([w["end"]]), **given)
        if left:
            raise RuntimeError(f"{len(left)} of our dropout sites are not the reference's")
        (out.loss / len(windows)).backward()
        losses.append(out.loss.item())
    return [], losses, trained_gradients(model)


def check_dropout(ours, family, work, failures):
    """Dropout of the adapters alone, and together with the model's own."""
    rows = [("adapters' dropout", 0.0, last, {}), ("all dropouts", 0.2, last, {}),
            ("some adapters", 0.2, lambda names: last(names, *family.query_and_value), {})]
    rows += [("all dropouts", 0.2, last, changes) for changes in family.dropout_variants]
    for title, own, targets, changes in rows:
        config = make_config(family, dropout=own, **changes)
        folder = work / (title + str(changes)).replace(" ", "_")
        folder.mkdir()
        make_model(family, config, 5).save_pretrained(folder / "base")
        names = linears(AutoModelForQuestionAnswering.from_pretrained(folder / "base"))
        model = make_adapter(folder / "base", folder / "adapter", 5, target_modules=targets(names), lora_dropout=0.3)
        windows = make_windows(config, [21, 40, 7], seed=5)
        out = ours.run(folder / "adapter", windows, folder)
        out["config"] = config.to_dict()
        done = ours.call("masks", folder / "adapter", folder / "windows.json", folder / "masks.safetensors")
        if done.returncode != 0:
            raise RuntimeError(f"model_driver masks: {done.stderr.strip()}")
        stored = ours.tensors(folder / "masks.safetensors")
        masks = [[stored[f"{w}.{n}"] for n in range(sum(k.startswith(f"{w}.") for k in stored))]
                 for w in range(len(windows))]
        try:
            expected = reference_dropping(model, windows, masks)
        except (RuntimeError, IndexError) as error:
            failures.check(False, f"{family.model_type}, {title}: {error}")
            continue
        compare(f"{family.model_type} {changes or ''}, {title}, {len(masks[0])} masks", family, out, expected, failures)


def expect_same_tensors(title, found, expected, tolerance, failures):
    failures.check(set(found) == set(expected), f"{title}: names differ: {sorted(set(found) ^ set(expected))}")
    worst = max((found[key] - expected[key]).abs().max().item() for key in set(found) & set(expected))
    failures.check(worst <= tolerance, f"{title}: weights differ by {worst:.2e}")
    return worst


def check_merging(ours, family, work, failures):
    """model convert --merge-lora compared with merge_and_unload(), and the program's answers of both."""
    name = family.model_type
    words = save_tokenizer(work / "base")
    config = make_config(family, vocab_size=words, pad_token_id=0)
    make_model(family, config, 7).save_pretrained(work / "base")
    make_data(work / "data.json", 3, 12)
    for i, use_rslora in enumerate([False, True]):
        adapter, merged = work / f"adapter{i}", work / f"merged{i}"
        model = make_adapter(work / "base", adapter, i, spread=0.1, target_modules="all-linear", use_rslora=use_rslora)
        done = ours.command("model", "convert", "--model", adapter, "--output", merged)
        failures.check(done.returncode == 2 and "--merge-lora" in done.stderr,
                       f"{name}: converting an adapter says {done.stderr!r}")
        done = ours.command("model", "convert", "--model", adapter, "--merge-lora", "--output", merged)
        if done.returncode != 0:
            raise RuntimeError(f"model convert --merge-lora: {done.stderr.strip()}")
        theirs = model.merge_and_unload()
        expected = {k: v for k, v in theirs.state_dict().items() if "position_ids" not in k and "token_type_ids" not in k}
        worst = expect_same_tensors(f"{name}, merged", ours.tensors(merged / "model.safetensors"), expected,
                                    MERGE_TOLERANCE, failures)
        _, info = AutoModelForQuestionAnswering.from_pretrained(merged, output_loading_info=True)
        failures.check(not info["missing_keys"] and not info["unexpected_keys"], f"{name}, merged: {info}")
        failures.check((merged / "vocab.txt").exists() or (merged / "tokenizer.json").exists(),
                       f"{name}, merged: there is no tokenizer")
        print(f"ok {name}, merged: weights {worst:.1e}")
    answers = {}
    for directory in (adapter, merged):
        for command in (["evaluate", "--data", work / "data.json", "--json"],
                        ["ask", "--json", "--question", "amber birch ?", "--context", "cedar dune ember fjord grove"]):
            done = ours.command(*command, "--model", directory)
            failures.check(done.returncode == 0, f"{name}, {command[0]}: {done.stderr.strip()[-300:]}")
            answers.setdefault(command[0], []).append(json.loads(done.stdout or "{}"))
    for command, (first, second) in answers.items():
        for key in first:
            same = first[key] == second.get(key) if not isinstance(first[key], float) else (
                abs(first[key] - second.get(key, 1e9)) <= 1e-4 * max(1.0, abs(first[key])))
            failures.check(same, f"{name}, {command}: {key} of the adapter is {first[key]!r}, merged {second.get(key)!r}")


def training_base(family, work):
    """A model without dropout, its tokenizer, and data."""
    words = save_tokenizer(work / "base")
    config = make_config(family, hidden=32, layers=2, heads=4, inner=64, vocab_size=words, initializer_range=0.02,
                         pad_token_id=0)
    torch.manual_seed(family.seed)
    AutoModelForQuestionAnswering.from_config(config).save_pretrained(work / "base")
    make_data(work / "train.json", 1, 96)
    return AutoModelForQuestionAnswering.from_pretrained(work / "base")


def trainable_peft(adapter):
    return lambda base: PeftModel.from_pretrained(AutoModelForQuestionAnswering.from_pretrained(base), adapter,
                                                  is_trainable=True)


def check_training(ours, family, work, failures):
    """24 steps of the Trainer over a PeftModel, both begun with PEFT's adapter; each going on from the other's
    checkpoint; a resumed run equal to the whole one to the bit; what is saved, loaded by PEFT."""
    name, data = family.model_type, work / "train.json"
    base = training_base(family, work)
    adapter, start = work / "adapter", work / "base"
    make_adapter(start, adapter, 9, spread=0, target_modules=query_and_value(base), lora_alpha=16)
    options = dict(max_steps=24, weight_decay=0.1, learning_rate=5e-3)
    saving = dict(save_strategy="steps", save_steps=12)
    undetermined = (family.head[-1] + ".bias",)  # what all tokens share does not change the loss

    def hf(output, **more):
        log, weights = run_hf(start, data, output, options, load=trainable_peft(adapter), **{**saving, **more})
        return log, {own_name(k): v for k, v in weights.items()
                     if ".lora_" in k or ".modules_to_save." in k}

    def own(output, *more):
        log, _ = run_ours(ours.spanforge, adapter, data, output, options, "--save-steps", "12", "--report-to", "none",
                          *more, weights=WEIGHTS)
        return log, {own_name(k): v for k, v in ours.tensors(output / "trained" / WEIGHTS).items()}

    theirs, whole = hf(work / "hf"), own(work / "ours")
    wrong = compare_runs(f"{name}, Trainer", theirs, whole, TRAINER_TOLERANCE, undetermined)
    failures.check(set(whole[1]) == set(theirs[1]), f"{name}: weights {sorted(set(whole[1]) ^ set(theirs[1]))}")
    from_ours = hf(work / "hf2", resume=work / "ours/checkpoint-12")
    wrong += compare_runs(f"{name}, Trainer resumes from ours", ({s: l for s, l in theirs[0].items() if s > 12}, theirs[1]),
                          from_ours, TRAINER_TOLERANCE, undetermined)
    from_hf = own(work / "ours2", "--resume-from-checkpoint", work / "hf/checkpoint-12")
    wrong += compare_runs(f"{name}, ours resumes from the Trainer's", ({s: l for s, l in theirs[0].items() if s > 12},
                          theirs[1]), from_hf, TRAINER_TOLERANCE, undetermined)
    for line in wrong:
        failures.check(False, line)
    theirs, counts = ([len(group["params"]) for group in torch.load(work / directory / "checkpoint-12/optimizer.pt")["param_groups"]]
                      for directory in ("hf", "ours"))
    failures.check(counts == theirs, f"{name}: optimizer.pt has groups of {counts}, PEFT {theirs}")
    own(work / "resumed", "--resume-from-checkpoint", work / "ours/checkpoint-12")
    same = (work / "resumed/trained" / WEIGHTS).read_bytes() == (work / "ours/trained" / WEIGHTS).read_bytes()
    failures.check(same, f"{name}: a resumed run has other weights")
    check_saved(ours, name, work / "ours/trained", adapter, work, failures)


def check_saved(ours, name, saved, like, work, failures):
    """Our directory loaded by PEFT, by each of its functions."""
    files = {file.name for file in saved.iterdir()}
    failures.check("model.safetensors" not in files and "config.json" not in files,
                   f"{name}: an adapter's directory holds {sorted(files)}")
    config = AutoModelForQuestionAnswering.from_pretrained(work / "base").config
    windows = make_windows(config, [21, 40], seed=5)
    out = ours.run(saved, windows, work, gradients=False)
    base = AutoModelForQuestionAnswering.from_pretrained(work / "base")
    for title, model in [("PeftModel", PeftModel.from_pretrained(base, saved, is_trainable=True)),
                         ("AutoPeftModel", AutoPeftModelForQuestionAnswering.from_pretrained(saved, is_trainable=True))]:
        worst = largest_logit_difference(out["logits"], run_peft(model, windows)[0])
        failures.check(worst <= LOGITS_TOLERANCE, f"{name}, saved, {title}: logits differ by {worst:.2e}")
        stored = {own_name(k): v for k, v in ours.tensors(saved / WEIGHTS).items()}
        loaded = {own_name(k): v.float() for k, v in get_peft_model_state_dict(model).items()}
        expect_same_tensors(f"{name}, saved, {title}", stored, loaded, 0.0, failures)
    written, theirs = (json.loads((d / "adapter_config.json").read_text()) for d in (saved, like))
    failures.check(set(written) == set(theirs), f"{name}: keys of adapter_config.json: {set(written) ^ set(theirs)}")
    for key in set(written) & set(theirs) - {"base_model_name_or_path", "modules_to_save"}:
        a, b = ((sorted(c[key]) if key == "target_modules" else c[key]) for c in (written, theirs))
        failures.check(a == b, f"{name}: adapter_config.json {key} is {a!r}, PEFT's {b!r}")
    head = list(next(family for family in FAMILIES if family.model_type == name).head)
    failures.check(written["modules_to_save"] == head, f"{name}: {written['modules_to_save']}")


def check_fresh(ours, family, work, failures):
    """--lora-rank: initial values, layers and the file's content, compared with PEFT's own."""
    name, data = family.model_type, work / "train.json"
    base = training_base(family, work)
    lists = {"": query_and_value(base), "all-linear": "all-linear", ",".join(last(linears(base))): last(linears(base))}
    for i, (given, targets) in enumerate(lists.items()):
        more = ["--lora-target", given] if given else []
        run_ours(ours.spanforge, work / "base", data, work / f"ours{i}", dict(max_steps=1, learning_rate=0),
                 "--save-strategy", "no", "--report-to", "none", "--lora-rank", "4", "--lora-alpha", "12",
                 "--lora-dropout", "0.1", *more, weights=WEIGHTS)
        found = ours.tensors(work / f"ours{i}/trained" / WEIGHTS)
        make_adapter(work / "base", work / f"peft{i}", i, spread=0, target_modules=targets, lora_alpha=12,
                     lora_dropout=0.1)
        theirs = load_file(work / f"peft{i}" / WEIGHTS)
        shapes = [{k: tuple(v.shape) for k, v in tensors.items()} for tensors in (found, theirs)]
        failures.check(shapes[0] == shapes[1], f"{name}, {given}: tensors {sorted(set(shapes[0]) ^ set(shapes[1]))}")
        for key, tensor in found.items():
            if key.endswith("lora_B.weight"):
                failures.check(not tensor.any(), f"{name}, {given}: {key} does not begin as zeros")
            if key.endswith("lora_A.weight"):
                bound = tensor.shape[1] ** -0.5  # kaiming_uniform_(a=sqrt(5))
                inside = 0.8 * bound < tensor.abs().max().item() <= bound
                failures.check(inside and abs(tensor.std().item() / bound - 3 ** -0.5) < 0.1,
                               f"{name}, {given}: {key} is not drawn as PEFT draws it")
        for key, tensor in theirs.items():
            if own_name(key).startswith(family.head):
                failures.check(torch.equal(found[key], tensor), f"{name}, {given}: {key} is not the base's")
        written, expected = (json.loads((d / "adapter_config.json").read_text())
                             for d in (work / f"ours{i}/trained", work / f"peft{i}"))
        failures.check(set(written) == set(expected), f"{name}: adapter_config.json: {set(written) ^ set(expected)}")
        for key in set(written) & set(expected) - {"base_model_name_or_path", "modules_to_save", "target_modules"}:
            failures.check(written[key] == expected[key],
                           f"{name}: adapter_config.json {key} is {written[key]!r}, PEFT's {expected[key]!r}")
    print(f"ok {name}: fresh adapters on {', '.join(given or 'the default' for given in lists)}")


CHECKS = {"answers": check_answers, "dropout": check_dropout, "merging": check_merging, "training": check_training,
          "fresh": check_fresh}


def self_test(folder, families):
    """Each planted fault must be noticed, in the first family."""
    def gradient(out):
        for key in out.get("gradients", {}):
            if key.endswith("lora_A.weight"):
                out["gradients"][key] *= 1.0001

    def logit(out):
        out["logits"][-1]["end"][0] += 1e-3

    def weight(end, by):
        def plant(stored):
            for key in stored:
                if key.endswith(end):
                    stored[key] = stored[key] + by
        return plant

    def last_mask(stored):
        end = max(int(key.split(".")[1]) for key in stored)
        for key in [key for key in stored if key.endswith(f".{end}")]:
            del stored[key]

    def a_matrix(stored):
        stored.pop(next(key for key in stored if key.endswith("lora_B.weight")))

    plants = [("gradient", "answers", dict(plant=gradient)), ("logit", "answers", dict(plant=logit)),
              ("gradient with dropout", "dropout", dict(plant=gradient)), ("mask", "dropout", dict(tamper=last_mask)),
              ("merged weight", "merging", dict(tamper=weight("dense.weight", 1e-4) if families[0].model_type == "bert"
                                                else weight(".weight", 1e-4))),
              ("trained weight", "training", dict(tamper=weight("lora_A.weight", 3e-4))),
              ("saved logit", "training", dict(plant=logit)), ("missing matrix", "fresh", dict(tamper=a_matrix)),
              ("initial B", "fresh", dict(tamper=weight("lora_B.weight", 1e-3))),
              ("initial A", "fresh", dict(tamper=weight("lora_A.weight", 0.1)))]
    if run_all(Ours(folder), families[:1], CHECKS.values()):
        print("FAILED: it differs without a planted fault")
        return 1
    missed = [title for title, check, faults in plants
              if not run_all(Ours(folder, **faults), families[:1], [CHECKS[check]])]
    print(f"FAILED: planted faults not seen: {missed}" if missed else "passed: every planted fault was seen")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(run_program(__doc__, Ours, CHECKS, self_test, "every family's adapters equal PEFT's"))
