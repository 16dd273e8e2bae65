#!/usr/bin/env python3
"""spanforge train against transformers' Trainer: losses, gradient norms, learning rates, weights,
resuming from each other's checkpoints, and the TensorBoard file. oracle_optimizers.py has other optimisers.

A tiny BERT without dropout on questions of equal length (HF's loss also runs over padding), in
fp32, in the Trainer's own data order.
"""
import argparse
import copy
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file
from transformers import (AutoConfig, AutoModelForQuestionAnswering, BertConfig, BertForQuestionAnswering, BertTokenizerFast, Trainer,
                          TrainerCallback, TrainingArguments)

WORDS = ["amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "inlet", "jetty",
         "knoll", "larch", "marsh", "north", "orbit", "prism", "quarry", "ridge", "shore", "tundra"]
EXAMPLES = 96
# Gradients of these are zero in exact arithmetic; Adam turns rounding noise into steps.
UNDETERMINED = ("qa_outputs.bias", "attention.self.key.bias", "layer.1.output.LayerNorm.bias")

VARIANTS = {  # Trainer options; 36 steps each but for accumulation
    "linear": {},
    "cosine, warm-up, decay, clipping": dict(lr_scheduler_type="cosine", warmup_steps=5, weight_decay=0.1,
                                             max_grad_norm=0.05),
    "polynomial, ratio, short last group": dict(lr_scheduler_type="polynomial", warmup_ratio=0.1,
                                                gradient_accumulation_steps=5, num_train_epochs=12,
                                                weight_decay=0.01),
    "constant with warm-up, other betas, data seed": dict(lr_scheduler_type="constant_with_warmup",
                                                          warmup_steps=7, adam_beta1=0.8, adam_beta2=0.99,
                                                          adam_epsilon=1e-6, data_seed=7, max_steps=36),
    "constant": dict(lr_scheduler_type="constant", max_steps=5),
    "adamw_torch": dict(optim="adamw_torch", weight_decay=0.1),
}


def save_tokenizer(directory):
    """BERT's tokenizer over WORDS; returns the number of its tokens."""
    directory.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "?"] + WORDS
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    BertTokenizerFast(vocab_file=str(directory / "vocab.txt"), model_max_length=64).save_pretrained(directory)
    return len(words)


def make_model(directory):
    vocab_size = save_tokenizer(directory)
    torch.manual_seed(1)
    config = BertConfig(vocab_size=vocab_size, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                        intermediate_size=64, max_position_embeddings=64, hidden_dropout_prob=0.0,
                        attention_probs_dropout_prob=0.0)
    BertForQuestionAnswering(config).save_pretrained(directory)


def make_data(file, seed, count):
    rng = random.Random(seed)
    rows = []
    for i in range(count):
        words = rng.sample(WORDS, 12)
        first = rng.randrange(10)
        answer = " ".join(words[first:first + rng.choice([1, 2])])
        context = " ".join(words)
        rows.append({"id": f"问{seed}-{i}", "title": "t", "context": context,
                     "question": " ".join(rng.sample(WORDS, 4)) + " ?",
                     "answers": [{"text": answer, "answer_start": context.index(answer)}]})
    file.write_text(json.dumps({"version": "v2.0", "data": rows}))


def features(model, file):
    tokenizer = BertTokenizerFast.from_pretrained(model)
    has_types = getattr(AutoConfig.from_pretrained(model), "type_vocab_size", 0) > 1
    result = []
    for row in json.loads(file.read_text())["data"]:
        encoding = tokenizer(row["question"], row["context"], return_offsets_mapping=True)
        begin = row["answers"][0]["answer_start"]
        end = begin + len(row["answers"][0]["text"])
        in_context = [i for i, s in enumerate(encoding.sequence_ids()) if s == 1]
        offsets = encoding.pop("offset_mapping")
        if not has_types:
            encoding.pop("token_type_ids")
        item = {key: torch.tensor(value) for key, value in encoding.items()}
        item["start_positions"] = torch.tensor(next(i for i in in_context if offsets[i][0] == begin))
        item["end_positions"] = torch.tensor(next(i for i in in_context if offsets[i][1] == end))
        result.append(item)
    assert len({len(item["input_ids"]) for item in result}) == 1, "windows differ in length"
    return result


class LossTrainer(Trainer):
    """Keeps each optimiser step's unrounded loss."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.losses, self.pending = {}, 0.0

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.pending += loss.double().item()
        return loss


class KeepLoss(TrainerCallback):
    trainer = None

    def on_step_end(self, args, state, control, **kwargs):
        self.trainer.losses[state.global_step] = self.trainer.pending
        self.trainer.pending = 0.0


def run_hf(model, data, output, options, resume=None, load=AutoModelForQuestionAnswering.from_pretrained, **more):
    callback = KeepLoss()
    arguments = TrainingArguments(str(output), use_cpu=True, report_to=[], disable_tqdm=True, logging_steps=1,
                                  save_strategy=more.pop("save_strategy", "no"), **{"learning_rate": 1e-3, **options},
                                  **more)
    trainer = LossTrainer(model=load(model), args=arguments,
                          train_dataset=features(model, data), callbacks=[callback])
    callback.trainer = trainer
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    log = {}
    for line in trainer.state.log_history:
        if "loss" in line and line["step"] in trainer.losses:
            log[line["step"]] = {"loss": trainer.losses[line["step"]], "grad_norm": line["grad_norm"],
                                 "learning_rate": line["learning_rate"], "epoch": line["epoch"]}
    weights = {k: v.detach().clone() for k, v in trainer.model.state_dict().items()}
    return log, weights


def run_ours(binary, model, data, output, options, *more, weights="model.safetensors"):
    command = [binary, "train", "--model", model, "--train", data, "--output", output, "--data-order", "hf",
               "--logging-steps", "1", "--max-seq-length", "64", "--threads", "1"]
    for name, value in {"learning_rate": 1e-3, **options}.items():
        command += [f"--{name}", str(value)]
    command += list(more)
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"spanforge train failed ({done.returncode}): {done.stderr.strip()}")
    log = {}
    for text in (output / "log.jsonl").read_text().splitlines():
        line = json.loads(text)
        if "loss" in line:
            log[line["step"]] = line
    return log, load_file(output / "trained" / weights)


def compare_runs(title, theirs, ours, tolerance=1e-4, undetermined=UNDETERMINED):
    """Lines that describe how the two runs differ."""
    (their_log, their_weights), (our_log, our_weights) = theirs, ours
    wrong = []
    if not set(their_log) <= set(our_log):
        wrong.append(f"{title}: steps {sorted(set(their_log) - set(our_log))} are missing")
    worst = {"loss": 0.0, "grad_norm": 0.0}
    for step in sorted(set(their_log) & set(our_log)):
        for key in worst:
            expected, found = their_log[step][key], our_log[step][key]
            relative = abs(found - expected) / abs(expected)
            worst[key] = max(worst[key], relative)
            if not relative <= tolerance:
                wrong.append(f"{title}: step {step} {key} {found}, Trainer {expected}")
        for key in ("learning_rate", "epoch"):
            if our_log[step][key] != their_log[step][key]:
                wrong.append(f"{title}: step {step} {key} {our_log[step][key]!r}, Trainer {their_log[step][key]!r}")
    furthest = 0.0
    for name, expected in their_weights.items():
        if name.endswith("position_ids") or name.endswith(undetermined):
            continue
        if name not in our_weights:
            wrong.append(f"{title}: {name} is missing")
            continue
        distance = (our_weights[name] - expected).abs().max().item()
        furthest = max(furthest, distance)
        if not distance <= tolerance:
            wrong.append(f"{title}: {name} is {distance:.2e} off")
    print(f"{title}: {len(their_log)} steps, loss {worst['loss']:.1e}, grad_norm {worst['grad_norm']:.1e} relative; "
          f"weights {furthest:.1e}")
    return wrong


def optimizer_names(model):
    """The parameters as optimizer.pt numbers them."""
    names = [name for name, _ in BertForQuestionAnswering.from_pretrained(model).named_parameters()]
    return sorted(names, key=lambda name: name.endswith("bias") or "LayerNorm" in name)


def compare_state(what, name, found, expected):
    """One value of a parameter's optimiser state: equal in form, and in its numbers as far as the gradients agree."""
    if not torch.is_tensor(expected) or not torch.is_tensor(found):
        same = type(found) is type(expected) and found == expected
        return [] if same else [f"{what}: {found!r}, Trainer has {expected!r}"]
    if (found.dtype, found.shape) != (expected.dtype, expected.shape):
        return [f"{what}: {found.dtype} {found.shape}, Trainer has {expected.dtype} {expected.shape}"]
    if name.endswith(UNDETERMINED) and not what.endswith(" step"):
        return []
    tolerance = 0 if what.endswith(" step") else 1e-3
    distance, largest = (found - expected).abs().max().item(), expected.abs().max().item()
    return [] if distance <= tolerance * largest else [f"{what}: {distance:.1e} off, the largest is {largest:.1e}"]


def compare_files(theirs, ours):
    """HF's checkpoint compared with ours: the same keys and settings in the same places."""
    wrong = []

    def expect(what, found, expected):
        if found != expected:
            wrong.append(f"{what}: {found!r}, Trainer has {expected!r}")

    def load(directory, name):
        return torch.load(directory / name, weights_only=name != "rng_state.pth")

    their_state, our_state = (json.loads((d / "trainer_state.json").read_text()) for d in (theirs, ours))
    expect("trainer_state.json keys", list(our_state), list(their_state))
    for key in their_state:
        if key not in ("log_history", "stateful_callbacks"):
            expect(f"trainer_state.json {key}", our_state[key], their_state[key])
    expect("log_history lines", len(our_state["log_history"]), len(their_state["log_history"]))
    for found, expected in zip(our_state["log_history"], their_state["log_history"]):
        expect("log_history keys", list(found), list(expected))
        if "loss" in expected and abs(found["loss"] - expected["loss"]) > 1.5e-4:
            wrong.append(f"log_history loss {found['loss']}, Trainer has {expected['loss']}")
    their_optimizer, our_optimizer = load(theirs, "optimizer.pt"), load(ours, "optimizer.pt")
    expect("optimizer.pt param_groups", our_optimizer["param_groups"], their_optimizer["param_groups"])
    expect("optimizer.pt state keys", list(our_optimizer["state"]), list(their_optimizer["state"]))
    names = optimizer_names(theirs)
    for index, expected in their_optimizer["state"].items():
        found = our_optimizer["state"].get(index, {})
        expect(f"optimizer.pt state {index} keys", list(found), list(expected))
        for key, value in expected.items():
            wrong += compare_state(f"optimizer.pt state {index} {key}", names[index], found.get(key), value)
    expect("scheduler.pt", load(ours, "scheduler.pt"), load(theirs, "scheduler.pt"))
    their_rng, our_rng = load(theirs, "rng_state.pth"), load(ours, "rng_state.pth")
    expect("rng_state.pth keys", list(our_rng), list(their_rng))
    expect("rng_state.pth cpu", our_rng["cpu"].shape, their_rng["cpu"].shape)
    torch.set_rng_state(our_rng["cpu"])
    expect("torch's generator", torch.rand(1).item(), torch.rand(1, generator=torch.Generator().manual_seed(42)).item())
    random.setstate(our_rng["python"])
    return wrong


def run_variant(binary, work, number, variants=VARIANTS):
    options = list(variants.values())[number]
    theirs = run_hf(work / "model", work / "train.json", work / f"hf{number}", options)
    ours = run_ours(binary, work / "model", work / "train.json", work / f"ours{number}", options,
                    "--save-strategy", "no", "--report-to", "none")
    return theirs, ours


def check_variants(binary, work, variants=VARIANTS):
    wrong = []
    for number, title in enumerate(variants):
        wrong += compare_runs(title, *run_variant(binary, work, number, variants))
    return wrong


def check_resume(binary, work, name="adamw_torch_fused", options={}):
    """17 of 36 steps on one side, the rest on the other: 12 steps are an epoch."""
    model, data, saving = work / "model", work / "train.json", {"save_strategy": "steps", "save_steps": 17}
    theirs, ours = work / f"hf-{name}", work / f"ours-{name}"
    whole = run_hf(model, data, theirs, options, **saving)
    run_ours(binary, model, data, ours, options, "--save-steps", "17")
    wrong = [f"{name}: {line}" for line in compare_files(theirs / "checkpoint-17", ours / "checkpoint-17")]
    resumed = run_hf(model, data, work / f"hf-resumed-{name}", options, resume=ours / "checkpoint-17", **saving)
    wrong += compare_runs(f"{name}: Trainer resumes from ours", whole, ({**whole[0], **resumed[0]}, resumed[1]))
    if sorted(resumed[0]) != list(range(18, 37)):
        wrong.append(f"{name}: the Trainer went on with steps {sorted(resumed[0])}")
    mine = run_ours(binary, model, data, work / f"ours-resumed-{name}", options, "--save-strategy", "no",
                    "--resume-from-checkpoint", theirs / "checkpoint-17")
    tail = {step: line for step, line in whole[0].items() if step > 17}
    return wrong + compare_runs(f"{name}: ours resumes from the Trainer's", (tail, whole[1]), mine)


def check_tensorboard(binary, work, plant=False):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    output = work / "board"
    run_ours(binary, work / "model", work / "train.json", output, {}, "--validation", work / "validation.json",
             "--report-to", "tensorboard", "--eval-strategy", "epoch")
    board = EventAccumulator(str(output / "logs"), size_guidance={"scalars": 0, "tensors": 0})
    board.Reload()
    scalars, texts = set(board.Tags()["scalars"]), set(board.Tags()["tensors"])
    if plant:
        scalars.discard("qa_topk_recall")
    wrong, ids = [], [row["id"] for row in json.loads((work / "validation.json").read_text())["data"]]
    wanted = ["train/loss", "train/grad_norm", "train/learning_rate", "train/epoch", "eval/loss", "eval/exact",
              "eval/f1", "qa_topk_recall"]
    for kind in ("qa_rank", "qa_score", "top1_rank", "top1_score"):
        wanted += [f"{kind}/{name}" for name in ids]
    wrong += [f"TensorBoard: {tag} is missing" for tag in wanted if tag not in scalars]
    wanted_texts = [f"{kind}/{name}/text_summary" for kind in ("qa_debug", "top1_debug") for name in ids]
    wrong += [f"TensorBoard: {tag} is missing" for tag in wanted_texts + ["args/text_summary", "model_config/text_summary"]
              if tag not in texts]
    if wrong:
        return wrong
    epochs = [event.step for event in board.Scalars("qa_topk_recall")]
    if epochs != [12, 24, 36]:
        wrong.append(f"TensorBoard: evaluations at {epochs}")
    losses = 0
    for line in map(json.loads, (output / "log.jsonl").read_text().splitlines()):
        if "loss" in line:
            losses += 1
            shown = [event.value for event in board.Scalars("train/loss") if event.step == line["step"]]
            if shown != [torch.tensor(line["loss"]).item()]:
                wrong.append(f"TensorBoard: step {line['step']} shows the loss {shown}")
    if not losses or not ids:
        wrong.append(f"TensorBoard: {losses} losses and {len(ids)} questions were compared")
    for name in ids:
        ranks = [event.value for event in board.Scalars(f"qa_rank/{name}")]
        scores = [event.value for event in board.Scalars(f"qa_score/{name}")]
        debug = [event.tensor_proto.string_val[0].decode() for event in board.Tensors(f"qa_debug/{name}/text_summary")]
        if len(ranks) != 3:
            wrong.append(f"TensorBoard: {name} has {len(ranks)} ranks")
        for rank, score, text in zip(ranks, scores, debug, strict=True):
            if not text.endswith(f"(Rank: {int(rank)})") or (rank == 0) != (score == 0):
                wrong.append(f"TensorBoard: {name} has rank {rank}, score {score}, {text}")
    print(f"TensorBoard: {len(scalars)} scalar tags, {len(texts)} texts")
    return wrong


def plants():
    def first(log):
        return log[min(log)]

    def loss(run):
        first(run[0])["loss"] *= 1 + 3e-4

    def rate(run):
        first(run[0])["learning_rate"] = math.nextafter(first(run[0])["learning_rate"], 1.0)

    def norm(run):
        first(run[0])["grad_norm"] *= 1 - 3e-4

    def weight(run):
        run[1]["bert.encoder.layer.0.output.dense.weight"][0, 0] += 3e-4

    return {"a loss": loss, "a learning rate": rate, "a gradient norm": norm, "a weight": weight}


def self_test(binary, work):
    theirs, ours = run_variant(binary, work, 0)
    missed = ["nothing planted"] if compare_runs("as it is", theirs, ours) else []
    for title, plant in plants().items():
        planted = copy.deepcopy(ours)
        plant(planted)
        if not compare_runs(title, theirs, planted):
            missed.append(title)
    if not check_tensorboard(binary, work, plant=True):
        missed.append("a missing tag")
    checkpoint, changed = work / "board/checkpoint-12", work / "changed"
    shutil.copytree(checkpoint, changed)
    state = json.loads((changed / "trainer_state.json").read_text())
    (changed / "trainer_state.json").write_text(json.dumps({**state, "epoch": 2.0}))
    if compare_files(checkpoint, checkpoint) or not compare_files(checkpoint, changed):
        missed.append("a checkpoint's epoch")
    return missed


def run_program(document, self_test, *checks):
    """main() of an oracle of training. checks: give lines that say how (program, work) differ."""
    parser = argparse.ArgumentParser(description=document)
    parser.add_argument("--bin", required=True, type=pathlib.Path)
    parser.add_argument("--self-test", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a model this small is not faster on two
    with tempfile.TemporaryDirectory() as directory:
        work, binary = pathlib.Path(directory), arguments.bin / "spanforge"
        make_model(work / "model")
        make_data(work / "train.json", 1, EXAMPLES)
        make_data(work / "validation.json", 2, 10)
        if arguments.self_test:
            missed = self_test(binary, work)
            print(f"self-test: {'missed ' + ', '.join(missed) if missed else 'every planted difference was found'}")
            sys.exit(bool(missed))
        wrong = [line for check in checks for line in check(binary, work)]
    for line in wrong[:20]:
        print(line)
    print(f"{pathlib.Path(sys.argv[0]).stem}: {'%d differences' % len(wrong) if wrong else 'equal'}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    run_program(__doc__, self_test, check_variants, check_resume, check_tensorboard)
