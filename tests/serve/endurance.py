"""Puts load on a server for minutes. docs/RELIABILITY.md has the figures. Not a test, because it measures time.

Usage: endurance.py --bin DIR [--seconds 300] [--only NAME]
Each row prints what it measured, and fails if a promise is broken. Signals under load: whole.py --turns 200. Requests
made from the schema: clients.py --seconds 600. Uses only Python's standard library.
"""
import concurrent.futures
import contextlib
import http.client
import json
import math
import random
import selectors
import socket
import subprocess
import threading
import time

from served import FIELDS, Server, expect, main, one, text


def percentile(values, share):
    return sorted(values)[math.ceil(share * len(values)) - 1]


class Clients:
    """Clients that ask again as soon as they have an answer, until stop(). Latencies are in seconds."""

    def __init__(self, server, count, body_of):
        self.over, self.latencies, self.faults = threading.Event(), [], []
        self.threads = [threading.Thread(target=self.ask, args=(server.port, body_of, i)) for i in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self, port, body_of, number):
        rng = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        while not self.over.is_set():
            body = json.dumps(body_of(rng))
            began = time.monotonic()
            try:
                connection.request("POST", "/v1/answer", body, {"Content-Type": "application/json"})
                reply = connection.getresponse()
                reply.read()
            except OSError as error:
                self.faults.append(repr(error))
                return
            self.latencies.append(time.monotonic() - began)
            if reply.status != 200:
                self.faults.append(reply.status)
            if reply.will_close:
                connection.close()
        connection.close()

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()
        expect(not self.faults, f"not answered: {self.faults[:3]}")
        return self.latencies


def during(server, count, body_of, seconds):
    clients = Clients(server, count, body_of)
    time.sleep(seconds)
    return clients.stop()


def mixed(rng):
    return {"questions": [{"question": text(rng.randrange(50), 3), "context": text(rng.randrange(50), rng.choice([5, 30, 100, 600]))}
                          for _ in range(rng.choice([1, 1, 1, 2, 8]))]}


def single(rng):
    return one(text(rng.randrange(50), 3), text(rng.randrange(50), 100))


def test_memory_stays_flat(case):
    with Server(case.program, "--model", case.model) as server:
        clients = Clients(server, 16, mixed)
        early = min(60, case.seconds / 5)
        time.sleep(early)
        first = server.memory("VmRSS")
        time.sleep(case.seconds - early)
        last = server.memory("VmRSS")
        count = len(clients.stop())
        print(f"     16 clients, {case.seconds} s: {count} requests; {first / 1e6:.1f} MB after {early:.0f} s, {last / 1e6:.1f} MB at the end")
        expect(last < 1.05 * first + 1e6, "memory grows")


def test_slow_sockets(case):
    with Server(case.program, "--model", case.model, "--max-connections", 1100) as server:
        seconds = max(10, case.seconds / 10)
        alone = percentile(during(server, 1, single, seconds), 0.99)
        over = threading.Event()
        opened = [0]

        def dribble():
            """Keeps 1,000 connections that send a byte of a header each second; opens new ones for those that are refused."""
            selector, request = selectors.DefaultSelector(), b"POST /v1/answer HTTP/1.1\r\n" + FIELDS + b"X: " + b"y" * 500
            at = {}
            while not over.is_set():
                began = time.monotonic()
                while len(at) < 1000:
                    sock = socket.create_connection(("127.0.0.1", server.port))
                    sock.setblocking(False)
                    selector.register(sock, selectors.EVENT_READ)
                    at[sock] = 0
                    opened[0] += 1
                for sock in [key.fileobj for key, _ in selector.select(0)]:  # an answer (408), or closed
                    selector.unregister(sock)
                    sock.close()
                    del at[sock]
                for sock in at:
                    with contextlib.suppress(OSError):
                        sock.send(request[at[sock] : at[sock] + 1])
                    at[sock] += 1
                time.sleep(max(0, 1 - (time.monotonic() - began)))
            for sock in at:
                sock.close()

        thread = threading.Thread(target=dribble)
        thread.start()
        time.sleep(2)
        expect(server.metric("spanforge_connections") > 900, "the slow sockets are not connected")
        beside = percentile(during(server, 1, single, seconds), 0.99)
        over.set()
        thread.join()
        print(f"     99th percentile of one client: {1000 * alone:.1f} ms alone, {1000 * beside:.1f} ms with 1,000 slow sockets "
              f"({opened[0]} opened)")
        expect(beside < 2 * alone, "slow sockets delay a client")


def test_singles_beside_a_huge_request(case):
    huge = {"contexts": [text(i, 100) for i in range(1000)], "questions": [{"question": "Anna went", "context": i} for i in range(1000)]}
    with Server(case.program, "--model", case.model) as server:
        seconds = max(10, case.seconds / 10)
        alone = percentile(during(server, 16, single, seconds), 0.99)
        over, done = threading.Event(), [0]

        def ask_huge():
            while not over.is_set():
                status, reply, _ = server.ask(huge, timeout=300)
                expect(status == 200 and len(reply["answers"]) == 1000, status)
                done[0] += 1

        thread = threading.Thread(target=ask_huge)
        thread.start()
        beside = percentile(during(server, 16, single, seconds), 0.99)
        over.set()
        thread.join()
        print(f"     99th percentile of 16 clients with single questions: {1000 * alone:.1f} ms alone, {1000 * beside:.1f} ms with "
              f"requests of 1,000 questions ({done[0]} answered)")
        expect(done[0] > 0, "no huge request is answered")
        expect(beside < 2 * alone, "a huge request delays others")


def test_a_deadline_fires_while_a_batch_runs(case):
    corpus = case.folder / "corpus.txt"
    large = case.folder / "base"
    subprocess.run([case.program, "model", "new", "--like", "base", "--text", corpus, "--vocab-size", "200", "--output", large], check=True,
                   capture_output=True)
    slow = {"timeout_ms": 60000, "contexts": [text(1, 500)], "questions": [{"question": "Anna", "context": 0}] * 3}
    with Server(case.program, "--model", large, "--bf16", "false", "--max-batch-tokens", 8192, "--timeout", 120) as server:
        took = []
        for _ in range(5):
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                began = time.monotonic()
                other = pool.submit(server.ask, slow, timeout=120)
                time.sleep(0.2)
                asked = time.monotonic()
                status, reply, _ = server.ask(one("Anna", "Anna went home", timeout_ms=100))
                took.append(time.monotonic() - asked)
                expect(status == 504, (status, reply))
                expect(other.result()[0] == 200, other.result())
                batch = time.monotonic() - began
        print(f"     a deadline of 100 ms while a batch of {batch:.1f} s runs: 504 after {1000 * max(took):.0f} ms at most")
        expect(batch > 1 and max(took) < 0.2, took)


if __name__ == "__main__":
    main(globals(), seconds=300)
