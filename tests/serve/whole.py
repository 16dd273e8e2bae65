"""The server as its clients see it: answers, framing on real sockets, limits, signals, access.

Usage: whole.py --bin DIR [--only NAME] | --self-test
Python's standard library alone. Prints what fails and exits 1.
"""
import argparse
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from lab import HEAD, Server, ask_program, expect, make_model, one, run_tests, statuses, text


def test_answers_equal_ask_under_64_clients(case):
    rows = [(text(i, 2 + i % 5), text(1000 + i, 3 + (i * 37) % 900)) for i in range(160)]
    wanted = ask_program(case, rows, 3)
    expect(len(wanted) == len(rows), "ask answered too little")

    def check(number, server):
        rng = random.Random(number)
        for _ in range(4):
            chosen = [rng.randrange(len(rows)) for _ in range(rng.choice([1, 1, 2, 8]))]
            body = {"top_k": 3, "questions": [{"question": rows[i][0], "context": rows[i][1]} for i in chosen]}
            status, reply, _ = server.ask(body)
            expect(status == 200, (status, reply))
            for i, answer in zip(chosen, reply["answers"]):
                spans, told = answer["spans"], wanted[i]
                expect([(s["answer"], s["start"], s["end"]) for s in spans] == [(a["answer"], a["start"], a["end"]) for a in told],
                       (rows[i], spans, told))
                expect(all(abs(s["score"] - a["score"]) <= 1e-5 for s, a in zip(spans, told)), (spans, told))

    with Server(case.program, "--model", case.model) as server, concurrent.futures.ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda n: check(n, server), range(64)))


def test_hugging_faces_shapes(case):
    with Server(case.program, "--model", f"news={case.model}") as server:
        question, context = "Anna went", text(5, 40)
        for path in ("/", "/predict", "/invocations", "/models/news"):
            status, reply, _ = server.ask({"inputs": {"question": question, "context": context}}, path)
            expect(status == 200 and set(reply) == {"score", "start", "end", "answer"}, (path, status, reply))
            expect(context[reply["start"]:reply["end"]] == reply["answer"], reply)
        for inputs, parameters, shape in [
                ({"question": [question], "context": context}, {}, dict), ({"question": [question] * 2, "context": context}, {}, list),
                ({"question": question, "context": context}, {"top_k": 2}, list)]:
            status, reply, _ = server.ask({"inputs": inputs, "parameters": parameters}, "/")
            expect(status == 200 and isinstance(reply, shape), (inputs, reply))
        status, reply, _ = server.ask({"inputs": {"question": question, "context": context}}, "/models/other")
        expect(status == 404, reply)
        for unit, encoding, size in (("utf16", "utf-16-le", 2), ("byte", "utf-8", 1)):
            mixed = "😀 " + context
            span = server.ask(one(question, mixed, offset_unit=unit))[1]["answers"][0]["spans"][0]
            encoded = mixed.encode(encoding)
            expect(encoded[span["start"] * size:span["end"] * size].decode(encoding) == span["answer"], (unit, span))


def test_connections(case):
    body = json.dumps(one("Anna went", text(1, 20))).encode()
    post = b"POST /v1/answer HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n" % len(body)
    with Server(case.program, "--model", case.model, "--header-timeout", 1, "--body-timeout", 1, "--idle-timeout", 1) as server:
        # Pipelined: in order, and all answered.
        out = server.raw((post + b"\r\n" + body) * 3 + b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        expect(statuses(out) == [200] * 4 and out.count(b'"spans"') == 3, out)
        out = server.raw(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        expect(statuses(out) == [200] and out.endswith(b"\r\n\r\n"), out)
        out = server.raw(b"GET /ping HTTP/1.0\r\n\r\n")
        expect(statuses(out) == [200] and b"Connection: close" in out, out)
        # A client that waits for 100 gets it, or the refusal.
        with socket.create_connection(("127.0.0.1", server.port), timeout=15) as sock:
            sock.sendall(post + b"Expect: 100-continue\r\n\r\n")
            expect(statuses(sock.recv(4096)) == [100], "no 100")
            sock.sendall(body)
            expect(statuses(sock.recv(65536)) == [200], "no answer behind 100")
        out = server.raw(post.replace(b"application/json", b"text/plain") + b"Expect: 100-continue\r\n\r\n")
        expect(statuses(out) == [415], out)
        # Smuggling: what is behind a refused request is no request.
        out = server.raw(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: xchunked\r\n\r\nGET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
        expect(statuses(out) == [501], out)
        # Time: a header, a body, an idle connection.
        for data, wanted in ((b"GET / HT", [408]), (post + b"\r\n{", [408]), (b"", [408]),
                             (b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n", [200])):
            began = time.monotonic()
            out = server.raw(data)
            expect(statuses(out) == wanted and 0.9 < time.monotonic() - began < 4, (data, out, time.monotonic() - began))
        # A large body is refused while it is sent, and the refusal is read.
        out = server.raw(b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        expect(statuses(out) == [413], out[:200])


def test_limits(case):
    with Server(case.program, "--model", case.model, "--max-connections", 4, "--max-questions", 3, "--max-request-tokens", 3000,
                "--max-queue-tokens", 3000) as server:
        expect(server.ask({"questions": one("a", "b")["questions"] * 4})[0] == 413, "questions")
        status, reply, _ = server.ask(one("Anna", text(1, 20_000)))
        expect(status == 413 and "3000 are allowed" in reply["error"], (status, reply))
        held = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(4)]
        time.sleep(0.2)
        out = server.raw(b"")
        expect(statuses(out) == [503] and b"Retry-After" in out, out)
        for sock in held:
            sock.close()
        time.sleep(0.2)
        expect(server.ask(None, "/ping", "GET")[0] == 200, "connections are free again")
    with Server(case.program, "--model", case.model, "--max-request-tokens", 200_000, "--max-queue-tokens", 200_000,
                "--timeout", 0.5) as server:
        huge = {"contexts": [text(1, 3000)], "questions": [{"question": "Anna", "context": 0}] * 40}
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(lambda _: server.ask(huge), range(6)))
        seen = {status for status, _, _ in replies}
        expect(seen <= {200, 429, 504} and 429 in seen, seen)
        expect(all(int(headers["Retry-After"]) >= 1 for status, _, headers in replies if status == 429), "Retry-After")


def test_a_client_that_leaves_drops_its_own_work(case):
    with Server(case.program, "--model", case.model) as server:
        huge = json.dumps({"contexts": [text(1, 3000)], "questions": [{"question": "Anna", "context": 0}] * 40}).encode()
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.sendall(b"POST /v1/answer HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % len(huge) + huge)
        time.sleep(0.15)
        sock.close()
        expect(server.ask(one("Anna", "Anna went home"))[0] == 200, "the next client")
        for _ in range(100):
            if server.metric("spanforge_cancelled_total") == 1:
                break
            time.sleep(0.05)
        expect(server.metric("spanforge_cancelled_total") == 1, "cancelled_total")
        expect(server.metric("spanforge_queue_tokens") == 0, "queue_tokens")


def load(server, seconds, count, keep):
    """Clients that ask until the time is over or the server is gone: (answers, faults)."""
    answers, faults, over = [], [], time.monotonic() + seconds

    def client(number):
        body = json.dumps(one(text(number, 3), text(number + 7, 30)))
        connection = None
        while time.monotonic() < over:
            sent = False
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                    connection.connect()
                connection.request("POST", "/v1/answer", body, {"Content-Type": "application/json"})
                sent = True
                reply = connection.getresponse()
                content = json.loads(reply.read())
                answers.append((reply.status, content.get("model_version")))
                if reply.headers["Connection"] == "close" or not keep:
                    connection.close()
                    connection = None
            except ConnectionRefusedError:
                return
            except OSError as error:
                # A connection that the server never took.
                if sent:
                    faults.append(repr(error))
                return

    threads = [threading.Thread(target=client, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers, faults


def test_stopping_loses_no_request(case):
    for turn in range(case.turns):
        with Server(case.program, "--model", case.model) as server:
            threads, answers, faults = load(server, 10, 8, keep=turn % 2 == 0)
            time.sleep(0.3)
            server.stop()
            for thread in threads:
                thread.join()
            expect(not faults, faults)
            bad = [a for a in answers if a[0] not in (200, 503)]
            expect(answers and not bad, bad)
            server.stop = lambda: None


def test_a_reload_fails_no_request(case):
    place = case.folder / "published"
    place.symlink_to(case.model)
    with Server(case.program, "--model", place) as server:
        threads, answers, faults = load(server, 2 + 0.5 * case.turns, 8, keep=True)
        models = [case.other, case.model]
        for turn in range(case.turns):
            time.sleep(0.4)
            fresh = case.folder / "fresh"
            fresh.symlink_to(models[turn % 2])
            fresh.rename(place)
            server.process.send_signal(signal.SIGHUP)
        for thread in threads:
            thread.join()
        expect(not faults and {a[0] for a in answers} == {200}, (faults, {a[0] for a in answers}))
        expect(len({a[1] for a in answers}) == 2, {a[1] for a in answers})
        before = server.ask(None, "/v1/models", "GET")[1]
        place.unlink()
        server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if server.metric('spanforge_reloads_total{result="failure"}') == 1:
                break
            time.sleep(0.05)
        expect('spanforge_reloads_total{result="failure"} 1' in server.ask(None, "/metrics", "GET")[1].decode(), "failure is not counted")
        expect(server.ask(None, "/v1/models", "GET")[1] == before, "a failed reload changed the model")
        expect(server.ask(one("Anna", "Anna went"))[0] == 200, "after a failed reload")


def test_access(case):
    token = case.folder / "token"
    token.write_text("secret\n")
    with Server(case.program, "--model", case.model, "--token-file", token) as server:
        expect(server.ask(one("a", "Anna"))[0] == 401, "no token")
        expect(server.ask(one("a", "Anna"), headers={"Authorization": "Bearer secret"})[0] == 200, "the token")
        expect(server.ask(None, "/health/ready", "GET")[0] == 200, "health without a token")
        expect(server.ask(one("a", "Anna"), headers={"Host": "evil.example"})[0] == 403, "another host")
        expect(b"secret" not in server.said(), "the token is in the log")
    done = subprocess.run([case.program, "serve", "--model", case.model, "--host", "0.0.0.0", "--port", "0"], capture_output=True, text=True)
    expect(done.returncode == 2 and "--token-file" in done.stderr, done)


def test_the_log_has_no_texts_and_delays_nobody(case):
    reader, writer = os.pipe()
    with subprocess.Popen([case.program, "serve", "--port", "0", "--model", case.model], stderr=writer) as process:
        os.close(writer)
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(reader, 1)
        server = Server.__new__(Server)
        server.port = int(re.search(rb":(\d+)\n", line).group(1))
        secret = "Geheimnis"
        for _ in range(600):  # more than the pipe holds
            expect(server.ask(one("Anna", "Anna went home " + secret))[0] == 200, "while nobody reads the log")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log = b""
        while piece := os.read(reader, 1 << 16):
            log += piece
        expect(secret.encode() not in log and b'"route":"/v1/answer"' in log, log[:500])
        json.loads(log.splitlines()[0])
    os.close(reader)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    if options.self_test:
        try:
            expect(False, "planted")
        except AssertionError:
            expect(statuses(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 Not") == [200, 404], "statuses")
            return
        sys.exit("expect() lets a fault through")
    run_tests(globals(), options, turns=options.turns)


main()
