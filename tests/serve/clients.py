"""Tests the server with unmodified clients: huggingface_hub, @huggingface/inference, prometheus-client, schemathesis.

Usage: .venv-serve/bin/python clients.py --bin DIR [--seconds N] [--seed N] [--only NAME] | --self-test
tools/make_serve_venv.sh makes the environment. --seconds N lets schemathesis run that long in place of a fixed number
of requests. Prints what fails and exits 1.
"""
import json
import math
import pathlib
import re
import subprocess
import sys

from huggingface_hub import InferenceClient
from prometheus_client.parser import text_string_to_metric_families

from served import Server, ask_program, expect, main, one, text

HERE = pathlib.Path(__file__).parent
ENVIRONMENT = pathlib.Path(sys.prefix)
TOKEN = "a token"
SERIES = {  # the type and labels of each family
    "spanforge_requests": ("counter", {"route", "status"}),
    "spanforge_request_duration_seconds": ("histogram", set()),
    "spanforge_queue_duration_seconds": ("histogram", set()),
    "spanforge_inference_duration_seconds": ("histogram", set()),
    "spanforge_tokenize_duration_seconds": ("histogram", set()),
    "spanforge_batch_tokens": ("histogram", set()),
    "spanforge_batch_windows": ("histogram", set()),
    "spanforge_queue_tokens": ("gauge", set()),
    "spanforge_rejected": ("counter", {"reason"}),
    "spanforge_cancelled": ("counter", set()),
    "spanforge_connections": ("gauge", set()),
    "spanforge_reloads": ("counter", {"result"}),
    "spanforge_model_info": ("gauge", {"model", "version"}),
    "spanforge_build_info": ("gauge", {"version"}),
}


def equal(answer, wanted):
    """True if a client's answer, a dict, equals that of `spanforge ask`."""
    return (answer["answer"], answer["start"], answer["end"]) == (wanted["answer"], wanted["start"], wanted["end"]) and \
        math.isclose(answer["score"], wanted["score"], abs_tol=1e-5)


def test_huggingface_hub(case):
    rows = [(text(i, 3), text(100 + i, 20 + i)) for i in range(20)]
    wanted = ask_program(case, rows, 2)
    token = case.folder / "hub-token"
    token.write_text(TOKEN.replace(" ", "-"))
    with Server(case.program, "--model", case.model, "--token-file", token) as server:
        client = InferenceClient(model=f"http://127.0.0.1:{server.port}", token=token.read_text())
        for (question, context), best in zip(rows, wanted):
            answer = client.question_answering(question=question, context=context)
            expect(equal(answer, best[0]), (question, context, answer, best))
            both = client.question_answering(question=question, context=context, top_k=2)
            expect(len(both) == len(best) and all(map(equal, both, best)), (question, context, both, best))
        client.question_answering(question="Anna", context=rows[0][1], align_to_words=False, doc_stride=8, handle_impossible_answer=True,
                                  max_answer_len=4, max_question_len=16, max_seq_len=32, top_k=1)
        try:
            client.question_answering(question="", context="Anna")
            raise AssertionError("an empty question is answered")
        except Exception as error:
            expect("question" in str(error), f"the client does not show the reason: {error}")


def test_huggingface_inference_in_javascript(case):
    rows = [(text(i, 3), text(200 + i, 30)) for i in range(3)] + [("Anna 谁", "😀 Anna went home 小 河 边")]
    wanted = ask_program(case, rows, 1)
    with Server(case.program, "--model", case.model) as server:
        for (question, context), best in zip(rows, wanted):
            said = subprocess.run([ENVIRONMENT / "bin/node", HERE / "clients.mjs", ENVIRONMENT, f"http://127.0.0.1:{server.port}/", TOKEN,
                                   question, context], check=True, capture_output=True, text=True).stdout
            expect(equal(json.loads(said), best), (question, context, said, best))


def series_faults(families):
    """The differences between SERIES and the families that prometheus-client reads."""
    faults = []
    found = {family.name: family for family in families}
    for name, (kind, labels) in SERIES.items():
        family = found.pop(name, None)
        if family is None:
            faults.append(f"{name} is missing")
            continue
        if family.type != kind:
            faults.append(f"{name} is a {family.type}, not a {kind}")
        if not family.documentation:
            faults.append(f"{name} has no help")
        seen = {label for sample in family.samples for label in sample.labels} - {"le"}
        if family.samples and seen != labels:
            faults.append(f"{name} has labels {sorted(seen)}, not {sorted(labels)}")
    return faults + [f"{name} is not in the table" for name in found]


def test_metrics(case):
    with Server(case.program, "--model", case.model) as server:
        server.ask(one("Anna", text(1, 30)))
        server.ask(one("", ""))
        _, content, headers = server.ask(None, "/metrics", "GET")
        expect(headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", headers["Content-Type"])
        families = list(text_string_to_metric_families(content.decode()))
        faults = series_faults(families)
        expect(not faults, faults)
        values = {s.name + str(sorted(s.labels.items())): s.value for family in families for s in family.samples}
        expect(values["spanforge_requests_total[('route', '/v1/answer'), ('status', '200')]"] == 1, values)
        expect(values["spanforge_inference_duration_seconds_count[]"] >= 1, values)


def schemathesis(case, server, *more):
    """Runs schemathesis. Returns its exit status and its report."""
    amount = ["--max-time", str(case.seconds)] if case.seconds else ["--max-examples", "40"]
    done = subprocess.run([ENVIRONMENT / "bin/schemathesis", "--config-file", HERE / "schemathesis.toml", "run",
                           f"http://127.0.0.1:{server.port}/openapi.json", "--checks", "all", "--continue-on-failure", "--no-color",
                           "--seed", str(case.seed), *amount, *more], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, cwd=case.folder)
    return done.returncode, "\n".join(line[:500] for line in done.stdout.splitlines())  # a curl line may be a megabyte


def test_schemathesis(case):
    for options in ([], ["--token-file", case.folder / "api-token"]):
        (case.folder / "api-token").write_text("secret")
        with Server(case.program, "--model", f"news={case.model}", "--model", f"old={case.other}", *options) as server:
            status, report = schemathesis(case, server, *(["-H", "Authorization: Bearer secret"] if options else []))
            print("\n".join(re.findall(r".*(?:generated|Selected:|Tested:).*", report)))
            expect(status == 0, report)
            expect(re.search(r"[1-9]\d+ generated", report), report)


def self_test():
    good = "".join(f"# HELP {n}{'_total' if kind == 'counter' else ''} x\n# TYPE {n}{'_total' if kind == 'counter' else ''} {kind}\n"
                   for n, (kind, _) in SERIES.items())
    faults = lambda page: series_faults(text_string_to_metric_families(page))  # noqa: E731
    expect(not faults(good), faults(good))
    expect(faults(good.replace("queue_tokens", "queue_token")), "another name is not noticed")
    expect(faults(good.replace("queue_tokens gauge", "queue_tokens counter")), "another type is not noticed")
    expect(faults(good + 'spanforge_queue_tokens{client="x"} 1\n'), "a label is not noticed")
    expect(faults(good + "# HELP other x\n# TYPE other gauge\nother 1\n"), "a further series is not noticed")
    answer = {"answer": "Anna", "start": 0, "end": 4, "score": 0.5}
    expect(equal(answer, answer), "equal answers differ")
    for change in ({"answer": "anna"}, {"start": 1}, {"end": 5}, {"score": 0.6}):
        expect(not equal(answer, answer | change), f"{change} is not noticed")


if __name__ == "__main__":
    main(globals(), self_test, seconds=0, seed=1)
