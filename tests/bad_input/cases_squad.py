"""Datasets: SQuAD JSON, JSON lines, predictions; obstacles in the place of outputs."""
import json
import os
import socket

from forge import answer, squad
from table import ASK, CHECK, DATA, IO, TRAIN, TRAIN_BAD, USAGE, case, put

EVALUATE = "evaluate --model m --data bad.json --predictions-dir out"
BOTH = [CHECK, TRAIN_BAD]
CONTEXT = "Mina baked a kite in bread"


def data(name, content, *says, commands=None, exit=DATA):
    make = content if callable(content) else put("bad.json", content)
    case("data/" + name, commands or BOTH, exit, [r"bad\.json", *says], make)


def structure(name, content, *says):
    data(name, content, *says, commands=[CHECK, TRAIN_BAD, EVALUATE, "data stats bad.json",
                                         "data convert bad.json --output out.json",
                                         "data split bad.json --output out"])


# Structure.
structure("empty", "")
structure("blank", " \n\n")
structure("cut-off", '{"version": "v2.0", "data": [{"title":')
structure("cut-off-in-a-text", '{"version": "v2.0", "data": [{"title": "t')
structure("no-question", '{"version": "v2.0", "data": []}')
structure("no-question-in-paragraphs", squad(CONTEXT))
structure("a-number", "7")
structure("a-list-of-numbers", "[1, 2]")
structure("data-an-object", '{"version": "v2.0", "data": {}}')
structure("paragraphs-a-text", '{"data": [{"title": "t", "paragraphs": "none"}]}')
structure("qas-null", '{"data": [{"paragraphs": [{"context": "a", "qas": null}]}]}')
structure("key-twice", '{"version": "a", "version": "b", "data": []}')
structure("depth-100k", '{"data":' + "[" * 100_000)
structure("brackets-1M", "[" * 1_000_000)
structure("braces-100k", '{"a":' * 100_000)
structure("bad-utf8", squad(CONTEXT, answer("Mina", 0)).encode().replace(b"Mina", b"Min\xff"))
structure("nul-byte", squad(CONTEXT, answer("Mina", 0)).replace("baked", "bak\0d"))
structure("lone-surrogate", squad("Mina \ud800 baked", answer("Mina", 0)))
structure("lone-surrogate-in-an-id", squad(CONTEXT, answer("Mina", 0, id="\udc00")))
structure("trailing-comma", '{"data": [],}')
structure("two-documents", '{"data": []} {"data": []}')
structure("id-missing", squad(CONTEXT, answer("Mina", 0)).replace('"id"', '"ix"'), "id")
structure("id-empty", squad(CONTEXT, answer("Mina", 0, id="")))
structure("id-null", squad(CONTEXT, answer("Mina", 0, id=None)))
structure("question-missing", squad(CONTEXT, answer("Mina", 0)).replace('"question"', '"q"'))
structure("question-a-list", squad(CONTEXT, answer("Mina", 0, question=["Who?"])))
structure("context-missing", squad(CONTEXT, answer("Mina", 0)).replace('"context"', '"ctx"'))
structure("context-null", squad(None, answer("Mina", 0)))
structure("answers-a-list-of-lists", squad(CONTEXT, {"answers": [["Mina"]]}))
structure("answer-text-an-object", squad(CONTEXT, answer({}, 0)))
structure("start-1e999", squad(CONTEXT, answer("Mina", 0)).replace(': 0}', ': 1e999}'))
structure("impossible-a-word", squad(CONTEXT, {"is_impossible": "maybe"}))
structure("parallel-lists-of-two-lengths", squad(CONTEXT, {"answers": {"text": ["Mina"],
                                                                       "answer_start": []}}))
structure("key-of-1-MB", put("bad.json", lambda: '{"data": [{"%s": }]}' % ("k" * 1_000_000)))
structure("id-of-1-MB", put("bad.json", lambda: squad(
    CONTEXT, answer({}, 0, id="i" * 1_000_000))))
structure("10-MB-of-lists", put("bad.json", lambda: (
    '{"data": [{"answers": [' + "[]," * 3_300_000 + "0]}]}")))

# Rows: a fault stops only the commands that need the row.
SOUND = json.dumps({"id": "a", "question": "q", "context": "a c", "answers": ["c"]})
data("line-2-cut-off", SOUND + '\n{"id": "b", "question"\n', "line 2", commands=[*BOTH, EVALUATE])
data("line-2-a-list", SOUND + '\n[]\n', "line 2", commands=[*BOTH, EVALUATE])
data("line-2-without-answers", SOUND + '\n{"id": "b", "question": "q", "context": "a c"}\n', "line 2",
     commands=[*BOTH, EVALUATE])
data("id-twice", squad(CONTEXT, answer("Mina", 0), answer("baked", 5, id="q1")), "q1",
     commands=[CHECK, EVALUATE])
data("answer-text-a-number", squad(CONTEXT, answer(7, 0)), "q1", commands=[*BOTH, EVALUATE])
data("answer-text-null", squad(CONTEXT, answer(None, 0)), "q1", commands=[*BOTH, EVALUATE])
data("answer-text-a-float", squad("at 1.50 euros", answer(1.5, 3)), "q1", commands=[*BOTH, EVALUATE])
data("answer-without-start", squad(CONTEXT, {"answers": [{"text": "Mina"}]}), "q1", commands=[CHECK])
data("answer-without-start-in-two-places", squad("a b a", {"answers": [{"text": "a"}]}), "q1")
data("start-a-text", squad(CONTEXT, answer("Mina", "0")), commands=[CHECK])
data("start-a-float", squad(CONTEXT, answer("Mina", 0.5)), commands=[CHECK])
data("start-2^64", squad(CONTEXT, answer("Mina", 2**64)), commands=[CHECK])
data("start-null", squad(CONTEXT, answer("Mina", None)), "q1", commands=[CHECK])
data("no-references", squad(CONTEXT, answer("Mina", 0)).replace('"answers"', '"a"'),
     commands=[TRAIN_BAD, "evaluate --predictions text.txt --data bad.json"])
data("no-references-and-nowhere-to-write", squad(CONTEXT, answer("Mina", 0)).replace('"answers"', '"a"'),
     "--predictions-dir", commands=["evaluate --model m --data bad.json"], exit=USAGE)

# Answers.
data("start-off-by-one", squad(CONTEXT, answer("a kite", 12)), "q1")
data("start-in-utf16-units", squad("😀😀 Mina baked", answer("Mina", 5)), "q1")
data("start-in-bytes", squad("éé Mina baked", answer("Mina", 5)), "q1")
data("start--1", squad(CONTEXT, answer("Mina", -1)), "q1", commands=[CHECK])
data("start-negative", squad(CONTEXT, answer("Mina", -3)), "q1")
data("start-past-the-end", squad(CONTEXT, answer("Mina", 1000)), "q1")
data("start-2^63-1", squad(CONTEXT, answer("Mina", 2**63 - 1)), "q1")
data("start--2^63", squad(CONTEXT, answer("Mina", -2**63)), "q1")
data("leading-spaces-stripped", squad("  Mina baked", answer("  Mina", 2)), "q1")
data("answer-empty", squad(CONTEXT, answer("", 0)), "q1")
data("impossible-with-answers", squad(CONTEXT, answer("Mina", 0, is_impossible=True)), "q1")
data("combining-mark-composed-elsewhere", squad("Cafe\u0301 noir", answer("Caf\u00e9", 0)), "q1")
data("crlf-counted-once", squad("One\r\ntwo Mina", answer("Mina", 8)), "q1")
data("context-empty", squad("", answer("", 0)), "q1", commands=[CHECK])
data("context-empty-impossible", squad("", {"is_impossible": True}), "q1", commands=[CHECK])
data("question-empty", squad(CONTEXT, answer("Mina", 0, question="")), "q1", commands=[CHECK])
data("question-longer-than-the-window", squad(CONTEXT, answer("Mina", 0, question="who " * 600)),
     "q1", commands=[TRAIN_BAD, EVALUATE])
data("1-GB-on-one-line", lambda d: large(d / "bad.json"), commands=[CHECK])
data("nothing-usable", squad(CONTEXT, answer("Mina", 3)), commands=[
    TRAIN_BAD + " --on-bad-answer drop"])
case("data/validation-is-the-training-file", "data check train.json validation.json", DATA,
     ["train.json", "validation.json", "overlap"],
     lambda d: (d / "validation.json").write_bytes((d / "train.json").read_bytes()))
case("data/missing", [CHECK, TRAIN_BAD, EVALUATE], IO, r"bad\.json", lambda d: None)
case("data/is-looked-at-before-the-model",
     [TRAIN_BAD.replace("--model m", "--model ./nowhere"),
      TRAIN.replace("--model m", "--model ./nowhere") + " --validation bad.json"], DATA, r"bad\.json",
     put("bad.json", '{"data": ['))
case("data/validation-cut-off", TRAIN + " --validation bad.json", DATA, r"bad\.json",
     put("bad.json", '{"data": ['))

# Outputs. Never with /dev/stdout itself: a program that fails here would replace it.
def odd_outputs(directory):
    os.mkfifo(directory / "fifo")
    os.symlink("fifo", directory / "link")
    os.symlink("/proc/self/fd/1", directory / "stdout")  # a regular file of the driver
    (directory / "folder").mkdir()
    (directory / "out").mkdir()
    os.mkfifo(directory / "out" / "log.jsonl")
    (directory / "predictions" / "eval_qa_topk.json").mkdir(parents=True)
    os.symlink("nowhere", directory / "nothing")


case("data/output-is-no-file",
     [f"data {verb} --overwrite {option} {name}" for name in ("fifo", "link", "stdout", "folder")
      for verb, option in (("convert train.json --to jsonl", "--output"), ("fix train.json", "--output"),
                           ("fix train.json --output new.json", "--report"))] + [TRAIN], IO,
     r"^spanforge: (fifo|link|stdout|folder|out/log\.jsonl): is (not a regular file|a directory)", odd_outputs)
case("data/predictions-where-a-directory-is", EVALUATE.replace("bad.json", "nowhere.json").replace("out", "predictions"),
     IO, r"predictions/eval_qa_topk\.json: is a directory", odd_outputs)
case("data/output-is-the-input",
     ["data convert train.json --to jsonl --overwrite --output ./train.json",
      "data convert train.json --to jsonl --output alias.json", "data split train.json --output . --overwrite",
      "data fix train.json --output train.json --overwrite",
      "data fix train.json --output new.json --report alias.json --overwrite"], USAGE,
     r"(train|alias)\.json: is the data itself", lambda d: os.symlink("train.json", d / "alias.json"))
case("data/output-is-there",
     ["data convert train.json --to jsonl --output validation.json", "data fix train.json --output validation.json",
      "data split m/../validation.json --output ."], USAGE, r"(train|validation)\.json: is there already",
     lambda d: None)
case("data/report-is-the-output", [f"data fix train.json --output {name} --report {other}" for name, other in (
    ("new.json", "./new.json"), ("m/../new.json", "new.json"))], USAGE, "--report: is the same file", lambda d: None)
case("data/model-where-a-link-to-nothing-is", ["model convert --model m --output nothing",
                                               "model new --text nowhere.txt --output nothing/"], IO,
     "nothing: is a broken link", odd_outputs)

# Input that looks bad but is not.
SOUND = {
    "answer-over-a-window-edge": squad("word " * 58 + "Mina baked " * 8, answer("Mina baked", 290)),
    "emoji": squad("😀 Mina 👩‍🚀 baked", answer("👩‍🚀", 7)),
    "combining-marks": squad("Cafe\u0301 " + "a" + "\u0301" * 50, answer("Cafe\u0301", 0)),
    "right-to-left": squad("מינה אפתה לחם", answer("אפתה", 5)),
    "nul": squad("Mi\0na baked", answer("Mi\0na", 0)),
    "crlf": squad("One\r\ntwo Mina", answer("Mina", 9)).replace("}", "}\r\n"),
    "bom": "\ufeff" + squad(CONTEXT, answer("Mina", 0)),
    "other-keys": squad(CONTEXT, answer("Mina", 0, plausible_answers=[{"a": [1, None]}])),
}
for name, content in SOUND.items():
    case("data/sound-" + name, BOTH, 0, [], put("bad.json", content))

# Predictions, questions.
SCORE = "evaluate --predictions bad.json --data validation.json --json"
for name, content in {"not-json": "{", "list": "[]", "number": '{"a": 1}', "key-twice": '{"a": "", "a": ""}',
                      "empty": ""}.items():
    case("predictions/" + name, SCORE, DATA, r"bad\.json", put("bad.json", content))
for name, content in {"text": '{"a": "x"}', "null": '{"a": null}', "1e999": '{"a": 1e999}',
                      "none": "{}"}.items():
    case("null-odds/" + name,
         "evaluate --predictions good.json --null-odds bad.json --data validation.json --json", DATA,
         r"bad\.json", lambda d, c=content: (put("bad.json", c)(d), predictions(d / "good.json", d)))
QUESTIONS = "ask --model m --input bad.jsonl --json"
GOOD_LINE = '{"question": "Who?", "context": "Mina"}\n'
for name, content in {"no-context": '{"question": "Who?"}', "a-list": "[]", "not-json": '{"question": "Who?", "context" "Mina"}',
                      "empty-question": '{"question": "", "context": "Mina"}',
                      "empty-context": '{"question": "Who?", "context": ""}',
                      "question-a-number": '{"question": 1, "context": "Mina"}',
                      "lone-surrogate": '{"question": "\\ud800", "context": "Mina"}',
                      "bad-utf8": b'{"question": "\xff", "context": "Mina"}',
                      "key-twice": '{"question": "a", "question": "b", "context": "Mina"}'}.items():
    content = content.encode() if isinstance(content, str) else content
    case("questions/" + name, QUESTIONS, DATA, [r"bad\.jsonl", "line 3"],
         put("bad.jsonl", (GOOD_LINE + "\n").encode() + content + b"\n"))
case("questions/none", QUESTIONS, DATA, r"bad\.jsonl", put("bad.jsonl", "\n\n"))
case("questions/missing", QUESTIONS, IO, r"bad\.jsonl", lambda d: None)
case("questions/context-file-missing", "ask --model m --context-file bad.txt --question q", IO,
     r"bad\.txt", lambda d: None)
case("questions/context-file-not-utf8", "ask --model m --context-file bad.txt --question q", DATA,
     r"bad\.txt", put("bad.txt", b"M\xffna"))
for name, content in {"numbers-as-texts": '{"query": 1, "passage": "Mina"}', "alias-empty": '{"question_text": "", "document": "Mina"}',
                      "first-alias-counts": '{"question": null, "query": "Who?", "context": "Mina"}',
                      "question-too-long": json.dumps({"id": "a", "question": "who " * 999, "context": "Mina"})}.items():
    case("questions/" + name, QUESTIONS, DATA, [r"bad\.jsonl", "line 2"],
         put("bad.jsonl", "\n" + content + "\n"))
case("questions/a-directory", QUESTIONS, IO, r"bad\.jsonl: is a directory", lambda d: (d / "bad.jsonl").mkdir())
case("questions/a-device", QUESTIONS.replace("bad.jsonl", "/dev/zero"), IO, "/dev/zero: is a device", lambda d: None)
case("inputs/standard-input-is-empty", ["data check -", "data stats /dev/stdin", "evaluate --model m --data -",
                                        TRAIN.replace("train.json", "-"), QUESTIONS.replace("bad.jsonl", "-")],
     DATA, "^spanforge: (standard input|/dev/stdin): (is empty|holds no question)", lambda d: None)
case("inputs/standard-input-twice", ["data check - -", "evaluate --predictions - --data -",
                                     TRAIN.replace("train.json", "- --validation -")],
     USAGE, "^spanforge: standard input: is given twice", lambda d: None)
case("inputs/fifo-twice", ["data check fifo fifo", TRAIN.replace("train.json", "fifo --validation fifo")], USAGE,
     "^spanforge: fifo: is given twice", lambda d: os.mkfifo(d / "fifo"))
case("inputs/standard-input-for-text-and-questions", ["ask --model m --context-file -"], USAGE,
     "--context-file: is standard input", lambda d: None)
case("inputs/devices", ["data check /dev/zero", "tokenize --model m --input /dev/zero",
                        "ask --model m --context-file /dev/zero --question q", TRAIN.replace("train.json", "/dev/zero"),
                        "train --config /dev/zero"], IO, "/dev/zero: is a device", lambda d: None)
case("inputs/sockets", ["data check socket", "tokenize --model m --input socket"], IO, "socket: is a socket",
     lambda d: socket_at(d / "socket"))
case("inputs/output-is-a-dash", ["data convert train.json --output -", "data fix train.json --output -"], IO,
     "^spanforge: -: is not a regular file", lambda d: None)
case("questions/empty-words", [ASK.replace("Who?", "''"), ASK.replace("'Mina baked bread.'", "''")],
     USAGE, "--question|--context|question|context", lambda d: None)


def socket_at(path):
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's name may not be long
    socket.socket(socket.AF_UNIX).bind(path.name)
    os.chdir(here)


def predictions(path, directory):
    data = json.loads((directory / "validation.json").read_text())
    names = [qa["id"] for article in data["data"] for paragraph in article["paragraphs"]
             for qa in paragraph["qas"]]
    path.write_text(json.dumps(dict.fromkeys(names, "b")))


def large(path, size=None):
    """One paragraph after the other on one line, the last one truncated."""
    paragraph = squad("word " * 20_000, *[answer("word", 5 * i, id="ID-%d" % i) for i in range(5)])
    paragraph = json.dumps(json.loads(paragraph)["data"][0])
    size = size or large.size
    with open(path, "w") as file:
        file.write('{"version": "v2.0", "data": [')
        i = 0
        while file.tell() < size:
            file.write(paragraph.replace("ID-", f"{i}-") + ", ")
            i += 1


large.size = 32_000_000  # --large: 1 GB
