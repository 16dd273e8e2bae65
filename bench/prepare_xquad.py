#!/usr/bin/env python3
"""Splits xquad.en.json by article: the first 38 to train on, the last 10 to score.

  python3 bench/prepare_xquad.py xquad.en.json OUTPUT_DIRECTORY
"""
import json
import pathlib
import sys

source, output = sys.argv[1], pathlib.Path(sys.argv[2])
articles = json.load(open(source, encoding="utf-8"))["data"]
output.mkdir(parents=True, exist_ok=True)
for name, part in (("train", articles[:38]), ("validation", articles[-10:])):
    (output / f"xquad_{name}.json").write_text(json.dumps({"version": "1.1", "data": part}, ensure_ascii=False), encoding="utf-8")
