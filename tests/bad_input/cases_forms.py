"""Tables, annotation tools' exports, encodings, and files that are not data."""
import json

from table import CHECK, DATA, TRAIN_BAD, USAGE, case, put

CSV = "question,context,answer\nWho?,Mina baked a kite,Mina\n"
TASK = {"id": 1, "data": {"text": "Mina baked", "question": "Who?"},
        "annotations": [{"result": [{"value": {"start": 0, "end": 4, "labels": ["Answer"]}}]}]}
STATS = "data stats bad.json"


def form(name, content, *says, commands=None, exit=DATA):
    case("forms/" + name, commands or [CHECK, TRAIN_BAD, STATS], exit, [r"bad\.json", *says], put("bad.json", content))


def task(**changes):
    return json.dumps([{**TASK, **changes}])


def labelled(**value):
    return task(annotations=[{"result": [{"value": value}]}])


# Tables.
form("table-of-something-else", "name,age\nMina,7\n", "name, age", "--columns")
form("table-without-a-context", "question,age\nWho?,7\n", "without a column for context")
form("table-without-rows", "question,context,answer\n")
form("table-open-quote", CSV + 'What?,"Mina baked,a kite\nWhy?,b,c\n', "line 3", "quote")
form("table-open-quote-of-20-MB", lambda: CSV + 'What?,"' + "Mina baked,\n" * 1_700_000, "line 3", "quote")
form("table-too-many-cells", "question,context\nWho?,Mina, who baked\n", "line 2", "3 cells")
form("table-too-few-cells", "question,answer,context\nWho?,Mina\n", "line 2", "context is missing")
form("table-not-utf8", CSV.encode() + "Où?,é,è\n".encode("windows-1252"), "line 3", "--encoding")
form("table-two-answers-one-start", "question,context,answer,answer_start\nq,a b,\"['a', 'b']\",[0]\n", "line 2", "2 answers but 1")
form("table-label-outside-the-text", "question,context,answer\nq,a b,\"[{\"\"start\"\": 2, \"\"end\"\": 9, \"\"labels\"\": []}]\"\n",
     "line 2", "from 2 to 9")
form("table-a-million-columns", lambda: "question," + "x," * 500_000 + "\n1\n", "context")
form("table-cell-of-brackets", lambda: "question,answer\nq," + "[" * 5_000_000 + "\n", "context")
form("column-that-is-not-there", CSV, "no column \"q\"", exit=USAGE,
     commands=[command + " --columns question=q" for command in (CHECK, TRAIN_BAD, STATS)])
case("forms/columns-that-are-none", [CHECK + " --columns " + columns for columns in
                                     ("question", "what=x", "question=", "question=a,question=b")],
     USAGE, "--columns", put("bad.json", CSV))

# Annotation tools.
form("label-studio-cut-off", task()[:-1])
form("label-studio-label-outside-the-text", labelled(start=3, end=400), r"\[0\]", "from 3 to 400")
form("label-studio-label-backwards", labelled(start=4, end=0), r"\[0\]", "from 4 to 0")
form("label-studio-label-of-text", labelled(start="a", end="b"), r"\[0\]", "malformed place")
form("label-studio-without-a-question", task(data={"text": "Mina baked"}), r"\[0\]", "no question", "--columns")
form("label-studio-without-a-text", task(data={"picture": "a.png", "question": "q"}), r"\[0\]", "no text", "picture")
form("label-studio-labels-that-unfold", lambda: json.dumps([{
    "id": 1, "data": {"text": "Mina " * 200_000, "question": "q"},
    "annotations": [{"result": [{"value": {"start": i, "end": 900_000 + i}} for i in range(20_000)]}]}]), r"\[0\]", "memory")
form("label-studio-questions-that-unfold", lambda: json.dumps([{
    "id": 1, "data": {"text": "Mina " * 200_000},
    "annotations": [{"result": [one for i in range(20_000) for one in (
        {"id": str(i), "value": {"start": 0, "end": 4}},
        {"id": str(i), "from_name": "question", "value": {"text": ["Who?"]}})]}]}]), r"\[0\]", "too many", commands=[STATS])
form("doccano-without-a-question", '{"id": 1, "text": "Mina", "label": [[0, 4, "A"]]}', "no question", "--columns")
form("doccano-label-of-one-number", '{"id": 1, "text": "Mina", "question": "q", "label": [[0]]}', "malformed label")
form("doccano-line-cut-off", '{"id": 1, "text": "Mina", "question": "q", "label": [[0, 9, "A"]]}\n{"id": 2, "text"\n', "line 1", "0 to 9")

# Encodings.
form("utf16-of-odd-length", CSV.encode("utf-16") + b"x", "UTF-16LE", "byte")
form("utf16-half-a-pair", CSV.encode("utf-16") + b"\x3d\xd8", "UTF-16LE", "byte")
form("not-in-the-encoding-named", CSV.encode() + b"\xff\xff\n", "GB18030", "byte", commands=[CHECK + " --encoding GB18030"])
case("forms/encoding-that-is-none", CHECK + " --encoding klingon", USAGE, "--encoding.*klingon", put("bad.json", CSV))

# No data.
for name, content, kind in (
        ("parquet", b"PAR1\x15\x04PAR1", "Parquet"), ("xlsx", b"PK\x03\x04\x14\0\x06\0[Content_Types].xmlxl/workbook.xml", "Excel"),
        ("sqlite", b"SQLite format 3\0", "SQLite"), ("gzip", b"\x1f\x8b\x08\0", "gzip"),
        ("pickle", b"\x80\x04\x95\x0b\0\0\0\0\0\0\0]\x94.", "pickle"), ("web-page", "<!DOCTYPE html>\n<html></html>", "web page"),
        ("lfs-pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        ("python-list", "[{'id': 'a'}]", "json.dump"), ("pdf", b"%PDF-1.7\n", "PDF")):
    form("not-read-" + name, content, kind)
