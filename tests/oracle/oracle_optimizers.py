#!/usr/bin/env python3
"""spanforge train --optim adafactor and sgd against transformers' Trainer: 36 steps by each, the files of a
checkpoint, and each side going on from the other's. oracle_trainer.py has the runs and comparisons.
"""
import copy
import shutil
import subprocess

import torch

from oracle_trainer import (check_resume, check_variants, compare_files, compare_runs, plants, run_ours, run_program,
                            run_variant)

VARIANTS = {
    "adafactor": dict(optim="adafactor"),
    "adafactor, decay, clipping, short last group": dict(optim="adafactor", weight_decay=0.1, max_grad_norm=0.05,
                                                         gradient_accumulation_steps=5, num_train_epochs=12),
    "sgd": dict(optim="sgd", learning_rate=0.1),
    "sgd, decay, clipping": dict(optim="sgd", learning_rate=0.1, weight_decay=0.1, max_grad_norm=0.05),
}
RESUMED = {
    "adamw_torch": dict(optim="adamw_torch", weight_decay=0.1),
    "adafactor": dict(optim="adafactor", weight_decay=0.1),
    "sgd": dict(optim="sgd", learning_rate=0.1, weight_decay=0.1),
}


def check_other_optimizer(binary, work):
    """No other optimiser accepts the Trainer's checkpoint, and the line names its optimiser."""
    wrong = []
    for is_, asked in (("adafactor", "sgd"), ("sgd", "adamw_torch"), ("adafactor", "adamw_torch_fused")):
        file = work / f"hf-{is_}/checkpoint-17/optimizer.pt"
        done = subprocess.run([binary, "train", "--model", work / "model", "--train", work / "train.json", "--output",
                               work / "refused", "--optim", asked, "--resume-from-checkpoint", file.parent],
                              capture_output=True, text=True)
        line = f"--optim: is {asked}, but {file} holds the state of {is_}; give --optim {is_}"
        if done.returncode != 2 or line not in done.stderr or (work / "refused").exists():
            wrong.append(f"{is_} as {asked}: exit {done.returncode}, {done.stderr.strip()}")
    return wrong


def state_plants():
    """Faults in an optimizer.pt of Adafactor."""
    def mean(value):
        value["state"][3]["exp_avg_sq_row"] *= 1.01

    def rms(value):
        value["state"][3]["RMS"] *= 1.01

    def step(value):
        value["state"][3]["step"] += 1

    def form(value):
        value["state"][3]["step"] = torch.tensor(12.0)

    def missing(value):
        del value["state"][3]

    def group(value):
        value["param_groups"][1]["clip_threshold"] = 2.0

    return {"a mean": mean, "an RMS": rms, "a step": step, "a step's form": form, "a parameter's state": missing,
            "a group": group}


def self_test(binary, work):
    missed = []
    theirs, ours = run_variant(binary, work, 0, VARIANTS)
    if compare_runs("as it is", theirs, ours):
        missed.append("nothing planted")
    for title, plant in plants().items():
        planted = copy.deepcopy(ours)
        plant(planted)
        if not compare_runs(title, theirs, planted):
            missed.append(title)
    run_ours(binary, work / "model", work / "train.json", work / "saved", VARIANTS["adafactor"], "--save-steps", "12")
    checkpoint, changed = work / "saved/checkpoint-12", work / "changed"
    shutil.copytree(checkpoint, changed)
    if compare_files(checkpoint, changed):
        missed.append("a checkpoint compared with itself")
    for title, plant in state_plants().items():
        planted = torch.load(checkpoint / "optimizer.pt", weights_only=True)
        plant(planted)
        torch.save(planted, changed / "optimizer.pt")
        if not compare_files(checkpoint, changed):
            missed.append(title)
    return missed


def check_every_optimizer(binary, work):
    return check_variants(binary, work, VARIANTS)


def check_every_resume(binary, work):
    return [line for name, options in RESUMED.items() for line in check_resume(binary, work, name, options)]


if __name__ == "__main__":
    run_program(__doc__, self_test, check_every_optimizer, check_every_resume, check_other_optimizer)
