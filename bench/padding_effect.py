#!/usr/bin/env python3
"""What Hugging Face's loss over padding changes: the same windows, weights and labels, with the loss
over real tokens only, with dynamic padding and with padding to the full length.

For each kind: the mean loss, and the distance of a batch of 8's gradient from the one without padding
(relative to its norm). No dropout.

  .venv/bin/python bench/padding_effect.py --model DIR --data F [--max-seq-length 384] [--batches 12]
"""
import argparse
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from hf_trainer import flat_examples, make_windows


def batch_loss(model, tokenizer, rows, length):
    """Mean loss of the rows padded to `length`; None: each row alone, so nothing is padded."""
    groups = [[row] for row in rows] if length is None else [rows]
    total = 0
    for group in groups:
        size = length or len(group[0]["input_ids"])
        padded = tokenizer.pad([{k: r[k] for k in ("input_ids", "token_type_ids", "attention_mask")} for r in group],
                               padding="max_length", max_length=size, return_tensors="pt")
        labels = {k: torch.tensor([r[k] for r in group]) for k in ("start_positions", "end_positions")}
        total = total + model(**padded, **labels).loss * len(group) / len(rows)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--max-seq-length", type=int, default=384)
    parser.add_argument("--window-overlap", type=int, default=128)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args()
    args.padding = "dynamic"
    torch.manual_seed(args.seed)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model = AutoModelForQuestionAnswering.from_pretrained(args.model).eval()
    rows, _ = make_windows(tokenizer, flat_examples(args.data), args)
    order = torch.randperm(len(rows)).tolist()
    kinds = {"no padding": lambda b: None, "dynamic": lambda b: max(len(r["input_ids"]) for r in b), "max": lambda b: args.max_seq_length}
    losses, distances = dict.fromkeys(kinds, 0.0), dict.fromkeys(kinds, 0.0)
    for i in range(args.batches):
        batch = [rows[j] for j in order[8 * i:8 * i + 8]]
        gradients = {}
        for kind, length in kinds.items():
            model.zero_grad()
            loss = batch_loss(model, tokenizer, batch, length(batch))
            loss.backward()
            losses[kind] += loss.item() / args.batches
            gradients[kind] = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
            base = gradients["no padding"]
            distances[kind] += (torch.norm(gradients[kind] - base) / torch.norm(base)).item() / args.batches
    tokens = sum(len(rows[j]["input_ids"]) for j in order[:8 * args.batches]) / (8 * args.batches)
    print(f"{8 * args.batches} windows, {tokens:.0f} tokens each on average\n\n| padding | mean loss | gradient's distance |\n|---|---|---|")
    for kind in kinds:
        print(f"| {kind} | {losses[kind]:.4f} | {100 * distances[kind]:.1f} % |")


if __name__ == "__main__":
    main()
