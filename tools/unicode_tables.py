#!/usr/bin/env python3
"""Generates src/spanforge/text/unicode_tables.cpp: what Hugging Face `tokenizers` takes each code
point for. Its Unicode versions are frozen and mixed (the normaliser's tables, the category tables
and Rust's own differ), so the tables are not read from Unicode's files: every code point is sent
through the library itself.

    .venv/bin/python tools/unicode_tables.py [OUTPUT]

Needs the `tokenizers` package (its version is written into the file). Takes about a minute.
"""

import pathlib
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

# Bits of a record; unicode.h has the same names and values.
(WHITESPACE, REMOVED, PUNCTUATION, CJK, MN, MARK, WORD, REORDERS, LETTER, NUMBER,
 COMPOSES) = (1 << i for i in range(11))
BLOCK = 128
HANGUL = range(0xAC00, 0xD7A4)
HANGUL_SECONDS = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}


def code_points():
    return (c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF)


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**options, **on})


def matches(pattern):
    """Whether a character matches in the wheels' regex engine (Oniguruma)."""
    split = pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str
    return lambda ch: not split(ch)


def combining_classes(nfd):
    """The class of each code point, found by how NFD orders it against marks of known class."""
    low, high = "\u0334", "\u0345"  # the lowest class, 1, and the highest, 240
    def is_mark(ch):
        return nfd(ch + low) == low + ch or nfd(high + ch) == ch + high
    known = {}  # one mark of every class that the library's tables also hold
    for c in code_points():
        ch = chr(c)
        k = unicodedata.combining(ch)
        if k and k not in known and nfd(ch) == ch and is_mark(ch):
            known[k] = ch
    order = sorted(known)
    for a, b in zip(order, order[1:]):
        assert nfd(known[b] + known[a]) == known[a] + known[b], (a, b)
    classes = {}
    for c in code_points():
        ch = chr(c)
        if nfd(ch) != ch:
            continue
        if not is_mark(ch):
            continue
        # The class k is the one with: k-marks keep their place on both sides.
        same = [k for k in order
                if nfd(ch + known[k]) == ch + known[k] and nfd(known[k] + ch) == known[k] + ch]
        assert len(same) == 1, (hex(c), same)
        classes[c] = same[0]
    return classes


def compositions(decomposition):
    """Triples of two characters and the one that NFC makes of them, except Hangul."""
    nfc = normalizers.NFC().normalize_str
    found = []
    for c, d in decomposition.items():
        if len(d) < 2 or nfc(chr(c)) != chr(c):
            continue
        first = nfc(d[:-1])
        assert len(first) == 1 and nfc(first + d[-1]) == chr(c), hex(c)
        found.append((ord(first), ord(d[-1]), c))
    return sorted(found)


def sweep():
    clean = bert(clean_text=True).normalize_str
    chinese = bert(handle_chinese_chars=True).normalize_str
    strip = bert(strip_accents=True).normalize_str
    nfd = normalizers.NFD().normalize_str
    lower = normalizers.Lowercase().normalize_str
    marks = normalizers.StripAccents().normalize_str
    bert_split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    words = pre_tokenizers.Whitespace().pre_tokenize_str
    spaces = pre_tokenizers.WhitespaceSplit().pre_tokenize_str
    letter, number, regex_space = matches(r"\p{L}"), matches(r"\p{N}"), matches(r"\s")

    flags, decomposition, lowercase = {}, {}, {}
    for c in code_points():
        ch = chr(c)
        f = 0
        cleaned = clean(ch)
        if cleaned == "":
            f |= REMOVED
        pieces = len(bert_split("a" + ch + "a"))
        space = len(spaces("a" + ch + "a")) == 2
        assert (pieces == 2) == space
        if space:
            f |= WHITESPACE
            assert cleaned in ("", " ")
        else:
            assert cleaned in ("", ch)
        if pieces == 3:
            f |= PUNCTUATION
        if chinese(ch) != ch:
            assert chinese(ch) == " " + ch + " "
            f |= CJK
        if marks(ch) == "":
            f |= MARK
        word = words("a" + ch + "a")
        if len(word) == 1:
            f |= WORD
        else:
            assert len(word) == (2 if space else 3), hex(c)
        assert regex_space(ch) == space, hex(c)
        if letter(ch):
            f |= LETTER
        if number(ch):
            f |= NUMBER
        assert bool(f & LETTER) + bool(f & NUMBER) + space <= 1, hex(c)
        d = nfd(ch)
        if d != ch and c not in HANGUL:
            decomposition[c] = d
        if d == ch and strip(ch) == "":
            f |= MN
        flags[c] = f
        if lower(ch) != ch:
            lowercase[c] = lower(ch)
    for c in HANGUL:
        s = c - 0xAC00
        parts = chr(0x1100 + s // 588) + chr(0x1161 + s % 588 // 28)
        if s % 28:
            parts += chr(0x11A7 + s % 28)
        assert nfd(chr(c)) == parts
    classes = combining_classes(nfd)
    for c in code_points():
        d = nfd(chr(c))
        kept = [x for x in d if not flags[ord(x)] & MN]
        assert strip(chr(c)) == "".join(kept), hex(c)
        if any(classes.get(ord(x), 0) for x in kept):
            flags[c] |= REORDERS
    nfc = normalizers.NFC().normalize_str
    composed = compositions(decomposition)
    seconds = {second for _, second, _ in composed} | HANGUL_SECONDS
    for c in code_points():
        if nfc(chr(c)) != chr(c) or classes.get(c, 0) or c in seconds:
            flags[c] |= COMPOSES
    return flags, decomposition, lowercase, classes, composed


def rows(values, per_line):
    lines = []
    for i in range(0, len(values), per_line):
        lines.append("    " + ", ".join(str(v) for v in values[i:i + per_line]) + ",\n")
    return "".join(lines)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    output = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else (
        root / "src/spanforge/text/unicode_tables.cpp")
    flags, decomposition, lowercase, classes, composed = sweep()

    pool = []  # code points of decompositions and of lowercase forms longer than one
    records, index = [], {}
    def pooled(text):
        at = len(pool)
        pool.extend(ord(x) for x in text)
        return at
    def record(c):
        d, low = decomposition.get(c, ""), lowercase.get(c, "")
        delta = ord(low) - c if len(low) == 1 else 0
        key = (flags.get(c, 0), classes.get(c, 0), d, delta, low if len(low) > 1 else "")
        if key not in index:
            index[key] = len(records)
            longer = key[4]
            records.append((key[0], key[1], len(d), len(longer),
                            pooled(d) if d else 0, pooled(longer) if longer else delta))
        return index[key]
    record(0x0E3F)  # a plain character first, so that record 0 is a harmless one
    numbers = [record(c) for c in range(0x110000)]
    blocks, block_index, stage1 = [], {}, []
    for start in range(0, 0x110000, BLOCK):
        block = tuple(numbers[start:start + BLOCK])
        if block not in block_index:
            block_index[block] = len(blocks)
            blocks.append(block)
        stage1.append(block_index[block])
    stage2 = [n for block in blocks for n in block]

    text = f"""// Generated by tools/unicode_tables.py from tokenizers {tokenizers.__version__}; do not edit.
// clang-format off
#include "spanforge/text/unicode.h"

namespace spanforge::unicode {{

const uint16_t kStage1[{len(stage1)}] = {{
{rows(stage1, 24)}}};

const uint16_t kStage2[{len(stage2)}] = {{
{rows(stage2, 20)}}};

// flags, combining class, decomposition length, lowercase length (0: one code point), decomposition
// in the pool, lowercase: distance, or place in the pool
const CharRecord kRecords[{len(records)}] = {{
{rows(["{%d, %d, %d, %d, %d, %d}" % r for r in records], 5)}}};

const char32_t kPool[{len(pool)}] = {{
{rows(["0x%X" % p for p in pool], 14)}}};

const size_t kCompositionCount = {len(composed)};
const Composition kCompositions[{len(composed)}] = {{
{rows(["{0x%X, 0x%X, 0x%X}" % triple for triple in composed], 5)}}};

}}  // namespace spanforge::unicode
"""
    output.write_text(text)
    print(f"{output}: {len(records)} records, {len(blocks)} blocks, {len(pool)} pooled code points, "
          f"tokenizers {tokenizers.__version__}")


if __name__ == "__main__":
    main()
