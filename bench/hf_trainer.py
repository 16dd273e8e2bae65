#!/usr/bin/env python3
"""The alternative that spanforge is measured against: extractive QA on Hugging Face's Trainer.

Fine-tunes a BertForQuestionAnswering directory on SQuAD-style files with the same options as
`spanforge train`, evaluates with run_qa's decoding, and writes one JSON object with scores, loss
curve, wall clock and peak memory. Run it with the Python of .venv (tools/make_oracle_venv.sh).

  .venv/bin/python bench/hf_trainer.py --model DIR --train F --validation F --output DIR --report R.json
"""
import argparse
import collections
import json
import os
import resource
import time

os.environ.setdefault("HF_HUB_OFFLINE", "1")
START = time.time()

import numpy as np
import torch
from transformers import (AutoModelForQuestionAnswering, AutoTokenizer, DataCollatorWithPadding, Trainer,
                          TrainingArguments, set_seed)
from transformers.data.metrics.squad_metrics import compute_exact, compute_f1


def flat_examples(path):
    with open(path, encoding="utf-8") as file:
        articles = json.load(file)["data"]
    return [
        {"id": qa["id"], "question": qa["question"], "context": paragraph["context"], "answers": qa["answers"]}
        for article in articles for paragraph in article["paragraphs"] for qa in paragraph["qas"]
    ]


def make_windows(tokenizer, examples, args):
    """Token windows with labels; one dict per window, and what else decoding needs."""
    encoded = tokenizer([e["question"] for e in examples], [e["context"] for e in examples],
                        truncation="only_second", max_length=args.max_seq_length, stride=args.window_overlap,
                        return_overflowing_tokens=True, return_offsets_mapping=True,
                        padding="max_length" if args.padding == "max" else False)
    rows, extra = [], []
    for i, owner in enumerate(encoded["overflow_to_sample_mapping"]):
        offsets, sequence = encoded["offset_mapping"][i], encoded.sequence_ids(i)
        context = [t for t, s in enumerate(sequence) if s == 1]
        first, last = context[0], context[-1]
        start = end = 0
        answers = examples[owner]["answers"]
        if answers:
            begin = answers[0]["answer_start"]
            stop = begin + len(answers[0]["text"])
            if offsets[first][0] <= begin and offsets[last][1] >= stop:
                start = max(t for t in context if offsets[t][0] <= begin)
                end = min(t for t in context if offsets[t][1] >= stop)
        row = {k: encoded[k][i] for k in ("input_ids", "token_type_ids", "attention_mask")}
        rows.append(dict(row, start_positions=start, end_positions=end))
        extra.append((owner, {t: offsets[t] for t in context}))
    return rows, extra


def decode(examples, extra, starts, ends, n_best=20, max_answer_length=30, with_null=False):
    """run_qa's search over all windows of each question: {id: text}."""
    best = collections.defaultdict(list)
    null = {}
    for w, (owner, offsets) in enumerate(extra):
        s, e = starts[w], ends[w]
        score = float(s[0] + e[0])
        null[owner] = min(null.get(owner, score), score)
        for i in np.argsort(s)[::-1][:n_best]:
            for j in np.argsort(e)[::-1][:n_best]:
                if i in offsets and j in offsets and i <= j < i + max_answer_length:
                    best[owner].append((float(s[i] + e[j]), offsets[i][0], offsets[j][1]))
    out = {}
    for owner, example in enumerate(examples):
        if not best[owner]:
            out[example["id"]] = ""
            continue
        score, begin, stop = max(best[owner])
        out[example["id"]] = "" if with_null and null[owner] > score else example["context"][begin:stop]
    return out


def score(examples, predictions):
    exact = f1 = 0.0
    for example in examples:
        golds = [a["text"] for a in example["answers"]] or [""]
        exact += max(compute_exact(g, predictions[example["id"]]) for g in golds)
        f1 += max(compute_f1(g, predictions[example["id"]]) for g in golds)
    return {"exact": 100 * exact / len(examples), "f1": 100 * f1 / len(examples), "total": len(examples)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--validation", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--report", required=True)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--gradient-accumulation-steps", type=int, default=1)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--max-seq-length", type=int, default=384)
    parser.add_argument("--window-overlap", type=int, default=128)
    parser.add_argument("--padding", choices=["max", "dynamic"], default="max")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--max-steps", type=int, default=-1, help="then nothing is evaluated")
    parser.add_argument("--no-eval-each-epoch", action="store_true", help="train only, one evaluation at the end, no checkpoints")
    args = parser.parse_args()

    set_seed(args.seed)  # the new QA head is drawn before the Trainer seeds anything
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForQuestionAnswering.from_pretrained(args.model)
    train, validation = flat_examples(args.train), flat_examples(args.validation)
    train_rows, _ = make_windows(tokenizer, train, args)
    validation_rows, extra = make_windows(tokenizer, validation, args)
    with_null = any(not e["answers"] for e in train)
    scores = []

    def compute_metrics(output):
        starts, ends = output.predictions
        result = score(validation, decode(validation, extra, starts, ends, with_null=with_null))
        scores.append(result)
        return result

    strategy = "no" if args.no_eval_each_epoch else "epoch"
    training = TrainingArguments(
        output_dir=args.output, num_train_epochs=args.epochs, max_steps=args.max_steps, per_device_train_batch_size=args.batch_size,
        gradient_accumulation_steps=args.gradient_accumulation_steps,
        per_device_eval_batch_size=args.batch_size * args.gradient_accumulation_steps, learning_rate=args.learning_rate, seed=args.seed,
        bf16=args.bf16, eval_strategy=strategy, save_strategy=strategy, logging_strategy="epoch",
        report_to=[] if args.no_eval_each_epoch else ["tensorboard"], use_cpu=True, disable_tqdm=True)
    trainer = Trainer(model=model, args=training, train_dataset=train_rows, eval_dataset=validation_rows,
                      data_collator=DataCollatorWithPadding(tokenizer), compute_metrics=compute_metrics)
    ready = time.time()
    result = trainer.train()
    trained = time.time()
    final = {}
    if scores:
        final = scores[-1]
    elif args.max_steps < 0:
        final = {k[5:]: v for k, v in trainer.evaluate().items() if k in ("eval_exact", "eval_f1", "eval_total")}
    if not args.no_eval_each_epoch:
        trainer.save_model(os.path.join(args.output, "trained"))
    report = {
        "what": "Hugging Face Trainer", "torch": torch.__version__, "threads": torch.get_num_threads(), "bf16": args.bf16,
        "padding": args.padding, "seed": args.seed, "windows": len(train_rows), "steps": result.global_step,
        "scores": final, "losses": [e for e in trainer.state.log_history if "loss" in e or "eval_loss" in e],
        "seconds_start_up": ready - START, "seconds_training": trained - ready, "seconds_process": time.time() - START,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    with open(args.report, "w") as file:
        json.dump(report, file, indent=1)
    print(json.dumps({k: report[k] for k in ("scores", "steps", "seconds_training", "seconds_process", "peak_rss_bytes")}))


if __name__ == "__main__":
    main()
