"""Questions over HTTP: spanforge serve beside FastAPI with transformers' pipeline and with ONNX Runtime."""
import concurrent.futures
import contextlib
import http.client
import json
import math
import random
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from harness import BIN, ROOT, Table, milliseconds, timed
from workloads.answering import make_models, questions_of, real_questions

WHAT = ("spanforge serve: the highest rate of single questions whose 99th percentile stays below a bound, against FastAPI with "
        "transformers' pipeline and with ONNX Runtime at equal precision; against its own offline throughput; the cost of TLS")
PARAMETERS = {"max_seq_len": 384, "doc_stride": 128, "top_k": 1}
CLIENTS = 64  # requests that may be open at once


class Server:
    """A server in a process of its own; post() is concurrent and keeps a connection a thread."""

    def __init__(self, command, port_line, certificate=None):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE if port_line is None else self.log,
                                        stderr=self.log, text=True)
        self.port = int(self.process.stdout.readline() or 0) if port_line is None else self.wait_for(port_line)
        if not self.port:
            raise RuntimeError(f"{command[0]}: {self.last_line()}")
        self.tls = ssl.create_default_context(cafile=certificate) if certificate else None
        if self.tls:
            self.tls.check_hostname = False
        self.local = threading.local()

    def wait_for(self, pattern):
        for _ in range(2400):
            self.log.seek(0)
            if found := re.search(pattern, self.log.read()):
                return int(found.group(1))
            if self.process.poll() is not None:
                return 0
            time.sleep(0.05)
        return 0

    def last_line(self):
        self.log.seek(0)
        return (self.log.read().strip().splitlines() or ["no answer"])[-1]

    def post(self, body, fresh=False):
        connection = getattr(self.local, "connection", None)
        if connection is None or fresh:
            if connection:
                connection.close()
            connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=300, context=self.tls) if self.tls else \
                http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
            self.local.connection = connection
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException):
            self.local.connection = None
            raise
        if reply.status != 200:
            raise RuntimeError(f"status {reply.status}: {content[:200]}")
        if reply.will_close:
            connection.close()
            self.local.connection = None
        return json.loads(content)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=60)
        self.log.close()


def open_loop(server, bodies, rate, seconds):
    """Sends at a fixed mean rate, whatever the server does; latencies count from the moment a request was due."""
    rng = random.Random(1)
    due, at = [], 0.0
    while at < seconds:
        due.append(at)
        at += rng.expovariate(rate)
    began = time.monotonic()

    def ask(i):
        wait = began + due[i] - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        server.post(bodies[i % len(bodies)])
        return time.monotonic() - began - due[i]

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(ask, range(len(due))))


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]


def closed_loop(server, bodies, clients, seconds, fresh=False):
    """Requests a second of clients that each ask again as soon as they have their answer; and all latencies."""
    over, counter, latencies = time.monotonic() + seconds, iter(range(10**9)), []

    def client(_):
        while time.monotonic() < over:
            began = time.monotonic()
            server.post(bodies[next(counter) % len(bodies)], fresh)
            latencies.append(time.monotonic() - began)

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return len(latencies) / (time.monotonic() - began), latencies


def highest_rate(server, bodies, bound, seconds, steps):
    """The highest rate tried whose 99th percentile is at most bound, by halving; and what was seen at it.

    A rate has two tries, so that one second in which the machine does something else does not count as the server's."""
    capacity, _ = closed_loop(server, bodies, 16, seconds)
    low, high, best = 0.0, capacity * 1.1, None
    rate = capacity * 0.8
    for _ in range(steps):
        p99 = percentile(open_loop(server, bodies, rate, seconds), 0.99)
        if p99 > bound:
            p99 = min(p99, percentile(open_loop(server, bodies, rate, seconds), 0.99))
        if p99 <= bound:
            low, best = rate, p99
        else:
            high = rate
        rate = (low + high) / 2
        time.sleep(0.5)
    return low, best, capacity


def bodies_of(pairs, **more):
    return [json.dumps({"inputs": {"question": q, "context": c}, "parameters": PARAMETERS | more}).encode() for q, c in pairs]


def ours(context, model, bf16, *more):
    return Server([BIN / "spanforge", "serve", "--model", model, "--port", "0", "--bf16", str(bf16).lower(), "--threads", context.threads,
                   *more], r"https?://[\d.]+:(\d+)", *([more[more.index("--tls-certificate") + 1]] if "--tls-certificate" in more else []))


def theirs(context, engine, model):
    exports = model / "exports"
    exports.mkdir(exist_ok=True)
    return Server([sys.executable, ROOT / "bench/http_answerers.py", engine, model, exports, context.threads], None)


def offline_rate(context, model, pairs, bf16):
    """Questions a second of `ask --input`, loading left out: the time for all less that for one."""
    seconds = []
    for count in (1, len(pairs)):
        file = context.work / f"offline-{count}.jsonl"
        file.write_text("".join(json.dumps({"question": q, "context": c}) + "\n" for q, c in pairs[:count]), encoding="utf-8")
        command = [BIN / "spanforge", "ask", "--model", model, "--input", file, "--json", "--bf16", str(bf16).lower(), "--threads",
                   context.threads, "--max-seq-length", PARAMETERS["max_seq_len"], "--doc-stride", PARAMETERS["doc_stride"]]
        seconds.append(min(timed(command)[0] for _ in range(2)))
    return (len(pairs) - 1) / (seconds[1] - seconds[0])


def compared(context, model, name, pairs, bound, seconds, steps):
    sides = {"spanforge serve, fp32": lambda: ours(context, model, False),
             "FastAPI, transformers pipeline, fp32": lambda: theirs(context, "pipeline", model),
             "FastAPI, ONNX Runtime, batches, fp32": lambda: theirs(context, "onnx_f32", model),
             "spanforge serve, bf16": lambda: ours(context, model, True),
             "FastAPI, transformers pipeline, bf16": lambda: theirs(context, "eager_bf16", model)}
    found, notes = {}, []
    for side, start in sides.items():
        try:
            with start() as server:
                # The others decode as the pipeline does, and know no other way.
                bodies = bodies_of(pairs, **({"decoder": "pipeline"} if side.startswith("spanforge") else {}))
                answer = server.post(bodies[0])
                found[side] = (*highest_rate(server, bodies, bound, seconds, steps), answer["answer"])
        except (RuntimeError, OSError) as error:
            notes.append(f"{side} is left out: {str(error)[-200:]}")
    rows = []
    for side, (rate, p99, capacity, answer) in found.items():
        own = found[f"spanforge serve, {side[-4:]}"]
        rows.append([side, f"{rate:.1f}", "none" if p99 is None else milliseconds(p99), f"{own[0] / rate:.2f}" if rate else "",
                     f"{capacity:.1f}", f"{own[2] / capacity:.2f}", "yes" if answer == own[3] else "no"])
    return Table(f"Single questions over HTTP: {name}, 99th percentile at most {bound:g} s",
                 ["server", "questions a second", "their 99th percentile", "ours of that precision : its", "16 clients in a closed loop",
                  "ours : its", "first answer as ours"], rows, notes), found


def certificate(folder):
    paths = folder / "certificate.pem", folder / "key.pem"
    timed(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
           "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-out", paths[0], "-keyout", paths[1]])
    return paths


def run(context):
    shape = "tiny" if context.quick else "small"  # a rate of many questions a second, so that a 99th percentile means something
    model, _ = make_models(context, shape)
    pairs = real_questions(context, 40 if context.quick else 200)
    random.Random(1).shuffle(pairs)  # short and long ones mixed: else a faster server would reach the long ones sooner
    bodies = bodies_of(pairs)
    short_pairs = list(questions_of(json.loads((ROOT / "data/sample/validation.json").read_text(encoding="utf-8"))))
    loads = [("real texts", pairs, 2.0), ("short texts (data/sample, about 100 tokens)", short_pairs, 0.5)]
    seconds, steps = (2, 3) if context.quick else (15, 4)
    tables, raw = [], {}
    for name, asked, bound in loads:
        table, raw[name] = compared(context, model, name, asked, bound, seconds, steps)
        tables.append(table)

    rows = []
    for name, bf16 in (("fp32", False), ("bf16", True)):
        offline = offline_rate(context, model, pairs, bf16)
        with ours(context, model, bf16) as server:
            served, latencies = closed_loop(server, bodies, 16, 3 * seconds)
        rows.append([name, f"{served:.1f}", f"{offline:.1f}", f"{served / offline:.2f}", milliseconds(percentile(latencies, 0.99))])
        raw[f"offline {name}"] = [served, offline]
    second = Table("16 clients beside `ask --input`", ["precision", "served: questions a second", "offline", "served : offline",
                                                       "99th percentile"], rows)

    tiny, _ = make_models(context, "tiny")
    pem, key = certificate(context.work)
    rows, short = [], bodies_of([("Anna?", "Anna went home.")])
    for fresh in (False, True):
        rates = []
        for more in ((), ("--tls-certificate", pem, "--tls-key", key)):
            with ours(context, tiny, False, *more) as server:
                rates.append(closed_loop(server, short, 8, seconds / 2, fresh)[0])
        rows.append(["a new connection each" if fresh else "connections kept", f"{rates[0]:.0f}", f"{rates[1]:.0f}", f"{rates[0] / rates[1]:.2f}"])
        raw[f"tls {fresh}"] = rates
    third = Table("The cost of TLS: a tiny model, so that little but HTTP is measured, 8 clients on the same cores",
                  ["requests", "plain, a second", "TLS, a second", "plain : TLS"], rows)
    third.notes.append("The clients are Python's http.client and take their share of the cores.")
    return [*tables, second, third], raw
