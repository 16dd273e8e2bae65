"""spanforge.Pipeline: the forms of a call, errors, threads, and agreement with the program."""

import json
import threading

import pytest

import spanforge
from conftest import run_program

ONE = {"question": "Where is Anna?", "context": "Anna sat in the market. The day was quiet."}


@pytest.fixture(scope="module")
def pipe(trained):
    return spanforge.Pipeline(trained)


def test_answers_as_ask(pipe, trained, rows, tmp_path):
    questions = tmp_path / "questions.jsonl"
    questions.write_text("".join(json.dumps({"question": r["question"], "context": r["context"]}) + "\n" for r in rows))
    asked = run_program("ask", "--model", trained, "--input", questions, "--json", "--top-k", 3)
    assert asked.returncode == 0, asked.stderr
    theirs = [json.loads(line) for line in asked.stdout.splitlines()]
    ours = pipe(question=[r["question"] for r in rows], context=[r["context"] for r in rows], top_k=3)
    assert ours == theirs


def test_forms_of_a_call_agree(pipe):
    answer = pipe(**ONE)
    assert set(answer) == {"score", "start", "end", "answer"}
    assert answer["answer"] == ONE["context"][answer["start"]:answer["end"]]
    assert pipe(ONE) == pipe([ONE]) == pipe(ONE["question"], ONE["context"]) == answer
    assert pipe(data=ONE) == answer
    assert pipe([ONE, ONE]) == pipe(ONE, ONE) == [answer, answer]
    assert pipe(question=[ONE["question"]] * 2, context=ONE["context"]) == [answer, answer]
    assert list(pipe(one for one in [ONE, ONE])) == [answer, answer]
    assert pipe([]) == []


def test_defaults_and_other_names(pipe, trained):
    three = pipe(**ONE, top_k=3)
    assert isinstance(three, list) and len(three) == 3
    assert spanforge.Pipeline(trained, top_k=3)(**ONE) == three
    assert spanforge.Pipeline(trained, top_k=3)(**ONE, topk=1) == pipe(**ONE)
    assert pipe(**ONE, max_answer_len=1) == pipe(**ONE, max_answer_length=1)
    assert spanforge.Pipeline(trained, max_answer_len=1)(**ONE, max_answer_length=5) == pipe(**ONE, max_answer_len=5)


@pytest.mark.parametrize(
    "arguments, parameter",
    [
        ({**ONE, "top_k": 0}, "top_k"),
        ({**ONE, "max_answer_len": 0}, "max_answer_len"),
        ({**ONE, "max_anser_len": 3}, "max_anser_len"),
        ({**ONE, "decoder": "nucleus"}, "decoder"),
        ({**ONE, "max_seq_len": 100000}, "max_seq_length"),
        ({**ONE, "top_k": "many"}, "top_k"),
        ({**ONE, "doc_stride": -1}, "doc_stride"),
        ({"question": "", "context": "a"}, "question"),
        ({"question": "a", "context": ""}, "context"),
        ({"question": "a"}, "context"),
        ({"question": ["a", "b"], "context": ["c"]}, "question"),
    ],
)
def test_wrong_arguments(pipe, arguments, parameter):
    with pytest.raises(spanforge.UsageError) as caught:
        pipe(**arguments)
    assert isinstance(caught.value, ValueError) and isinstance(caught.value, spanforge.Error)
    assert (caught.value.code, caught.value.parameter) == ("usage", parameter)
    assert caught.value.reason and "\n" not in str(caught.value)


def test_a_missing_model_names_the_file():
    with pytest.raises(spanforge.Error) as caught:
        spanforge.Pipeline("./no-such-model")
    assert (caught.value.code, caught.value.file) == ("input/output", "./no-such-model")
    with pytest.raises(UnicodeEncodeError):
        spanforge.Pipeline("\ud800")


def test_an_error_can_be_pickled():
    import pickle

    error = spanforge.Error("bad data", "is empty", file="a.json", where="line 3")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.file, copy.where) == (spanforge.Error, "a.json: line 3: is empty", "a.json", "line 3")


def test_a_pipeline_can_be_pickled(trained):
    import pickle

    pipe = spanforge.Pipeline(trained, top_k=3, threads=1)
    assert pickle.loads(pickle.dumps(pipe))(**ONE) == pipe(**ONE)
    tokenizer = pickle.loads(pickle.dumps(spanforge.Tokenizer(trained)))
    assert tokenizer.encode("a").tokens == spanforge.Tokenizer(trained).encode("a").tokens


def test_threads_answer_at_the_same_time(trained, rows):
    pipe = spanforge.Pipeline(trained, threads=1)
    expected = pipe(**ONE)
    results = []
    threads = [threading.Thread(target=lambda: results.extend(pipe(**ONE) for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 80


def test_other_threads_run_meanwhile(trained, rows):
    """The call gives up Python's lock: a counting thread goes on."""
    pipe = spanforge.Pipeline(trained, threads=1)
    counted, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            counted[0] += 1

    # A switch interval that a call would outlast: without giving up the lock nothing would be counted within it.
    long = {"question": "Where is Anna?", "context": "Anna sat in the market. " * 400}
    thread = threading.Thread(target=count)
    pipe(**ONE)
    thread.start()
    before = counted[0]
    pipe([long] * 4)
    during = counted[0] - before
    stop.set()
    thread.join()
    assert during > 1000
