"""Tests the server from outside: answers, signals under load, several models, memory, the log.

Usage: whole.py --bin DIR [--only NAME] [--turns N] | --self-test
--turns N: how often the server is stopped, and its model replaced, under load. 200 take 8 minutes.
Prints what fails and exits 1.
"""
import concurrent.futures
import contextlib
import http.client
import json
import os
import random
import re
import resource
import signal
import socket
import subprocess
import threading
import time

from served import FIELDS, Server, ask_program, expect, main, one, text


def test_answers_equal_ask_under_64_clients(case):
    rows = [(text(i, 2 + i % 5), text(1000 + i, 3 + (i * 37) % 900)) for i in range(160)]
    wanted = ask_program(case, rows, 3)
    expect(len(wanted) == len(rows), "ask answered too little")

    def check(number, server):
        rng = random.Random(number)
        for _ in range(4):
            chosen = [rng.randrange(len(rows)) for _ in range(rng.choice([1, 1, 2, 8]))]
            body = {"top_k": 3, "questions": [{"question": rows[i][0], "context": rows[i][1]} for i in chosen]}
            status, reply, _ = server.ask(body, timeout=600)
            expect(status == 200, (status, reply))
            for i, answer in zip(chosen, reply["answers"]):
                spans, told = answer["spans"], wanted[i]
                expect([(s["answer"], s["start"], s["end"]) for s in spans] == [(a["answer"], a["start"], a["end"]) for a in told],
                       (rows[i], spans, told))
                expect(all(abs(s["score"] - a["score"]) <= 1e-5 for s, a in zip(spans, told)), (spans, told))

    # With sanitizers a batch takes long.
    with Server(case.program, "--model", case.model, "--timeout", 600) as server, concurrent.futures.ThreadPoolExecutor(64) as pool:
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


def test_a_client_that_leaves_drops_its_own_work(case):
    with Server(case.program, "--model", case.model) as server:
        huge = json.dumps({"contexts": [text(1, 3000)], "questions": [{"question": "Anna", "context": 0}] * 40}).encode()
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.sendall(b"POST /v1/answer HTTP/1.1\r\n" + FIELDS + b"Content-Length: %d\r\n\r\n" % len(huge) + huge)
        time.sleep(0.15)
        sock.close()
        half = socket.create_connection(("127.0.0.1", server.port))  # shuts only its side, which counts as leaving
        half.sendall(b"POST /v1/answer HTTP/1.1\r\n" + FIELDS + b"Content-Length: %d\r\n\r\n" % len(huge) + huge)
        half.shutdown(socket.SHUT_WR)
        expect(half.recv(100) == b"", "a half-closed client is answered")
        expect(server.ask(one("Anna", "Anna went home"))[0] == 200, "the next client")
        for _ in range(100):
            if server.metric("spanforge_cancelled_total") == 2:
                break
            time.sleep(0.05)
        expect(server.metric("spanforge_cancelled_total") == 2, "cancelled_total")
        expect(server.metric("spanforge_queue_tokens") == 0, "queue_tokens")


def test_several_models_and_the_memory_they_may_take(case):
    models = ["--model", f"news={case.model}", "--model", f"legal={case.other}"]
    with Server(case.program, *models, "--timeout", 600) as server:
        stated = int(re.search(rb"memory: at most (\d+) MB \(models (\d+)", server.said()).group(1)) * 1_000_000
        answers = {}
        for name in ("news", "legal"):
            status, reply, _ = server.ask(one("Anna went", text(3, 60), model=name))
            expect(status == 200 and reply["model"] == name, reply)
            answers[name] = reply["model_version"]
        expect(len(set(answers.values())) == 2, answers)
        expect(server.ask(one("Anna went", "Anna went home"))[1]["model"] == "news", "the first answers")
        expect(server.ask(one("Anna", "Anna", model="other"))[0] == 404, "another model")
        listed = server.ask(None, "/v1/models", "GET")[1]["models"]
        expect({m["id"]: m["version"] for m in listed} == answers, listed)
        shown = server.ask(None, "/metrics", "GET")[1].decode()
        expect("spanforge_build_info{version=" in shown, shown)
        for name, version in answers.items():
            expect(f'spanforge_model_info{{model="{name}",version="{version}"}} 1' in shown, shown)
        # As much work at once as the limits allow.
        large = {"contexts": [text(1, 2000)], "questions": [{"question": "Anna", "context": 0}] * 20, "top_k": 100}
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda n: server.ask({**large, "model": ["news", "legal"][n % 2]}, timeout=600), range(32)))
        expect({r[0] for r in replies} <= {200, 429, 504} and any(r[0] == 200 for r in replies), {r[0] for r in replies})
        taken = server.memory("VmHWM")
        expect(case.sanitized or taken <= stated, f"it takes {taken} bytes, but stated {stated}")
    done = subprocess.run([case.program, "serve", *models, "--port", "0", "--max-memory-bytes", "100000000"], capture_output=True, text=True)
    expect(done.returncode == 2 and "--max-memory-bytes" in done.stderr and len(done.stderr.splitlines()) == 1, done)


def test_slow_clients_delay_nobody(case):
    count = 1000 if case.turns >= 200 else 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with Server(case.program, "--model", case.model, "--max-connections", count + 10, "--header-timeout", 600) as server, contextlib.ExitStack() as stack:
        connection = server.http()
        body = json.dumps(one("Anna went", text(1, 60)))

        def seconds():
            times = []
            for _ in range(200):
                began = time.monotonic()
                connection.request("POST", "/v1/answer", body, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                reply.read()
                expect(reply.status == 200, reply.status)
                times.append(time.monotonic() - began)
            return sorted(times)[len(times) * 95 // 100]

        alone = seconds()
        for i in range(count):
            stack.enter_context(server.connect()).sendall(b"POST /v1/answer HTTP/1.1\r\n" + (FIELDS if i % 2 else b"Host: loc"))
        beside = seconds()
        expect(server.metric("spanforge_connections") > count, "the slow clients are connected")
        # At most twice the time, and some more because the machine does other work.
        expect(beside < 2 * alone + 0.05, f"{alone:.4f} s alone, {beside:.4f} s with {count} slow clients")
        print(f"     95 %: {alone * 1000:.1f} ms alone, {beside * 1000:.1f} ms with {count} slow clients")


def load(server, seconds, count, keep):
    """Starts clients that ask until the time is over or the server is gone. Returns threads, answers and faults."""
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
                # Not a fault if the server never accepted the connection.
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
    # The stop comes in the middle of a reload.
    with Server(case.program, "--model", case.model) as server:
        for _ in range(5):
            server.process.send_signal(signal.SIGHUP)
        server.stop()
        server.stop = lambda: None


def test_the_log_has_no_texts_and_delays_nobody(case):
    reader, writer = os.pipe()
    with subprocess.Popen([case.program, "serve", "--port", "0", "--model", case.model], stderr=writer) as process:
        os.close(writer)
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(reader, 1)
        server = Server.__new__(Server)
        server.tls = None
        server.port = int(re.search(rb":(\d+)\n", line).group(1))
        secret = "Geheimnis"
        for _ in range(600):  # more than the pipe holds
            expect(server.ask(one("Anna", "Anna went home " + secret))[0] == 200, "while nobody reads the log")
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        log = b""
        while piece := os.read(reader, 1 << 16):
            log += piece
        lines = [line for line in log.splitlines() if line.startswith(b"{")]
        expect(secret.encode() not in log and b'"route":"/v1/answer"' in log, log[:500])
        row = json.loads(lines[0])
        expect(set(row) == {"time", "id", "route", "status", "bytes", "total_ms", "questions", "windows", "tokens", "queue_ms", "compute_ms"}, row)
    os.close(reader)


def test_log_text_puts_texts_into_the_log(case):
    with Server(case.program, "--model", case.model, "--log-text") as server:
        expect(server.ask(one("Anna", "Anna went home"), "/v1/answer?a=b")[0] == 200, "an answer")
        server.stop()
        row = json.loads(next(line for line in server.said().splitlines() if line.startswith(b"{")))
        expect("Anna went home" in row["request"] and '"spans"' in row["reply"] and row["target"] == "/v1/answer?a=b", row)
        server.stop = lambda: None


if __name__ == "__main__":
    main(globals(), turns=4)
