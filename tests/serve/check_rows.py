"""Fails unless this file names existing tests for each row of the two tables of docs/serving.md (limits and messages).

Usage: check_rows.py ROOT | --self-test
A test is the name of a row in tests/serve/*_test.cpp ({"name", ...), a Suite.Name there, or a function of bounds.py or whole.py.
"""
import pathlib
import re
import sys
import tempfile

# The keys are the beginnings of the rows' first cells.
LIMITS = {
    "malformed JSON": ["no object", "truncated", "bad UTF-8", "lone surrogate", "duplicate key", "depth > 64", "a web page"],
    "a missing or unknown member": ["missing question", "missing context", "unknown field", "wrong type", "no whole number", "Schema.OurCallIsRead"],
    "a missing or wrong token": ["Message.ATokenMustBeRight", "Service.ATokenIsAskedForWhereWorkIsDone", "test_who_may_ask"],
    "`Host` or": ["Message.ForeignHostsAndOriginsAreForbidden", "test_who_may_ask"],
    "an unknown path": ["Service.StatusesSayWhatIsWrong", "test_several_models_and_the_memory_they_may_take"],
    "another method": ["Service.StatusesSayWhatIsWrong", "test_head_dates_versions_and_allow"],
    "header slower": ["test_slow_clients_are_told_so", "test_tls"],
    "body above": ["long body", "test_bodies_are_bounded_each_and_together"],
    "more than `--max-questions`": ["too many questions", "too many texts", "test_what_a_request_may_ask"],
    "windows with more": ["Engine.WhatCannotBeAskedIsRefusedWithItsPlace", "test_what_a_request_may_ask"],
    "shared texts": ["shared texts too large"],
    "target above": ["long target", "endless target", "target of 2 KiB"],
    "a type other": ["Message.BodiesArePlainJson"],
    "an expectation other": ["other expectation"],
    "an empty text": ["empty question", "empty context", "top_k above 100", "top_k of 0", "Engine.WhatCannotBeAskedIsRefusedWithItsPlace"],
    "no room in the queue": ["Engine.AFullQueueSaysHowLongToWait", "Engine.RetryAfterIsTheTimeThatTheQueueTakes", "test_a_full_queue_and_a_deadline"],
    "bodies and replies": ["test_bodies_are_bounded_each_and_together", "Engine.TextsOfAllCallsTogetherAreBounded"],
    "header above": ["long field", "endless field", "100 fields", "101 fields", "300 fields"],
    "a fault of the model": ["Engine.AFaultOfTheModelIsNoFaultOfTheServer"],
    "the server stops": ["Service.StatusesSayWhatIsWrong", "test_connections_are_bounded", "test_stopping_loses_no_request"],
    "no answer within": ["Engine.ADeadlineFiresWhileABatchRuns", "test_a_full_queue_and_a_deadline"],
    "more than 1,000 requests": ["test_pipelined_requests_are_answered_in_order", "test_slow_clients_are_told_so",
                                 "test_a_client_that_does_not_read_is_cut"],
}
MESSAGES = {
    "`Content-Length` with": ["CL and TE", "TE and CL", "test_what_is_behind_a_refused_request_is_no_request"],
    "different, signed": ["differing lengths", "signed length", "overflowing length"],
    "two equal lengths": ["two equal lengths", "lengths in a list", "test_what_is_behind_a_refused_request_is_no_request"],
    "malformed or overflowing": ["bad chunk size", "chunk size too large"],
    "`Transfer-Encoding: xchunked`": ["TE: xchunked", "TE: gzip, chunked", "TE: identity", "test_what_is_behind_a_refused_request_is_no_request"],
    "`Transfer-Encoding` twice": ["TE twice", "TE in HTTP/1.0"],
    "a space before": ["space before the colon", "NUL", "bare LF", "bare CR"],
    "a folded line": ["obs-fold", "obs-fold of the first field"],
    "no `Host`": ["no Host", "two Hosts", "two Hosts in HTTP/1.0", "empty Host"],
    "HTTP/0.9": ["HTTP/0.9"],
    "HTTP/2.0": ["HTTP/2.0", "HTTP/2 preface"],
    "an endless chunk": ["endless chunk extension", "endless trailer", "endless trailer of many lines", "test_bodies_are_bounded_each_and_together"],
    "tiny chunks": ["Message.ChunksTakeAtMostTwiceTheBodysLimit", "test_bodies_are_bounded_each_and_together", "test_slow_clients_are_told_so"],
    "two empty lines": ["two empty lines before it", "one empty line before it"],
    "a target that": ["other scheme", "no path", "fragment"],
}


def table_rows(page, title):
    """The first cells of the table with the head | title | status |."""
    found = re.search(rf"^\| {title} \| status \|\n\|[-|]+\|\n((?:\|.*\n)+)", page, re.M)
    return [line.split(" | ")[0][2:] for line in found.group(1).splitlines()] if found else []


def known_tests(root):
    names = set()
    for file in sorted((root / "tests/serve").glob("*_test.cpp")):
        source = file.read_text(encoding="utf-8")
        names.update(f"{a}.{b}" for a, b in re.findall(r"\bTEST\((\w+), (\w+)\)", source))
        names.update(re.findall(r'^ {6,}\{"([^"]+)",', source, re.M))
    for file in ("bounds.py", "whole.py"):
        names.update(re.findall(r"^def (test_\w+)\(", (root / "tests/serve" / file).read_text(encoding="utf-8"), re.M))
    return names


def problems(root, tables):
    page, tests = (root / "docs/serving.md").read_text(encoding="utf-8"), known_tests(root)
    for title, rows in tables.items():
        cells = table_rows(page, title)
        if not cells:
            yield f"docs/serving.md has no table with the head | {title} | status |"
        for cell in cells:
            named = [row for row in rows if cell.startswith(row)]
            if len(named) != 1:
                yield f"docs/serving.md: the row '{cell}' is named {len(named)} times"
        for row, wanted in rows.items():
            if not any(cell.startswith(row) for cell in cells):
                yield f"docs/serving.md has no row that begins with '{row}'"
            yield from (f"{row}: there is no test '{test}'" for test in wanted if test not in tests)
            if not wanted:
                yield f"{row}: no test"


def self_test():
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        (root / "docs").mkdir()
        (root / "tests/serve").mkdir(parents=True)
        for file in ("bounds.py", "whole.py"):
            (root / "tests/serve" / file).write_text("def test_x(case):\n    pass\n")
        (root / "tests/serve/a_test.cpp").write_text('TEST(A, B) {}\n      {"row one", 1},\n')
        page = "| limit | status |\n|---|---|\n| a b | 400 |\n| c | 401 |\n"
        (root / "docs/serving.md").write_text(page)
        good = {"limit": {"a": ["A.B", "row one"], "c": ["test_x"]}}
        assert list(problems(root, good)) == [], list(problems(root, good))
        for bad in ({"limit": {"a": ["A.B"]}}, {"limit": {"a": ["A.C"], "c": ["test_x"]}}, {"limit": {"a": [], "c": ["test_x"]}},
                    {"limit": {"a": ["A.B"], "c": ["test_x"], "d": ["test_x"]}}, {"message": {"a": ["A.B"]}}):
            assert list(problems(root, bad)), bad


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(problems(pathlib.Path(sys.argv[1]), {"limit": LIMITS, "message": MESSAGES}))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
