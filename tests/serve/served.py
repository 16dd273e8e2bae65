"""What the tests of `spanforge serve` share: a server, its clients, the loop over tests. Uses only Python's standard library."""
import argparse
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

WORDS = "Anna Ben Carla went home stayed with and in the evening early late day one two three 谁 在 钓 鱼 小 河 边".split()
FIELDS = b"Host: localhost\r\nContent-Type: application/json\r\n"


def text(seed, words):
    rng = random.Random(seed)
    return " ".join(rng.choice(WORDS) for _ in range(words))


def make_model(program, folder, seed):
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(text(i, 30) for i in range(200)), encoding="utf-8")
    directory = folder / f"model{seed}"
    subprocess.run([program, "model", "new", "--like", "tiny", "--text", corpus, "--vocab-size", "200", "--seed", str(seed),
                    "--output", directory], check=True, capture_output=True)
    return directory


def make_certificate(folder, name, host="localhost"):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return certificate, key


class Server:
    """`spanforge serve` on a free port. tls: an ssl.SSLContext if the options make it serve HTTPS."""

    def __init__(self, program, *options, tls=None):
        self.log, self.tls = tempfile.TemporaryFile(), tls
        self.process = subprocess.Popen([program, "serve", "--port", "0", *map(str, options)], stderr=self.log)
        for _ in range(1200):
            if found := re.search(rb"https?://[\d.]+:(\d+)\n", self.said()):
                self.port = int(found.group(1))
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"the server does not listen: {self.said()}")

    def said(self):
        return os.pread(self.log.fileno(), 1 << 24, 0)

    def http(self, timeout=60):
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def connect(self, timeout=15):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        return self.tls.wrap_socket(sock, server_hostname="localhost") if self.tls else sock

    def memory(self, key):
        """Bytes, by a key of /proc/PID/status: VmRSS now, VmHWM at most so far."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{key}:\s*(\d+) kB", status).group(1)) * 1024

    def ask(self, body, path="/v1/answer", method="POST", headers=None, timeout=60):
        connection = self.http(timeout)
        with contextlib.closing(connection):
            sent = {"Content-Type": "application/json", **(headers or {})}
            data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, path, data, sent)
            reply = connection.getresponse()
            content = reply.read()
            return reply.status, json.loads(content) if reply.headers["Content-Type"] == "application/json" and content else content, reply.headers

    def raw(self, data, shut=False, timeout=15):
        """Sends data and returns all that the server sends until it closes."""
        with self.connect(timeout) as sock:
            sock.sendall(data)
            if shut:
                sock.shutdown(socket.SHUT_WR)
            out = b""
            with contextlib.suppress(ConnectionResetError, ssl.SSLError):
                while piece := sock.recv(65536):
                    out += piece
            return out

    def metric(self, name):
        content = self.ask(None, "/metrics", "GET")[1].decode()
        return sum(float(line.split()[-1]) for line in content.splitlines() if re.match(rf"{name}[{{ ]", line))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert code == 0, f"exit status {code}: {self.said()[-2000:]}"

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
        elif self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def expect(condition, said):
    if not condition:
        raise AssertionError(said)


def statuses(data):
    return [int(s) for s in re.findall(rb"HTTP/1\.1 (\d+) ", data)]


def one(question, context, **more):
    return {"questions": [{"question": question, "context": context}], **more}


def ask_program(case, rows, top_k):
    """What `spanforge ask` answers, in the order of rows: an object for each, or a list if top_k is above 1."""
    lines = "".join(json.dumps({"question": q, "context": c}) + "\n" for q, c in rows)
    done = subprocess.run([case.program, "ask", "--model", case.model, "--input", "-", "--json", "--top-k", str(top_k)],
                          input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def expect_notices():
    """The self-test of tests whose only comparer is expect()."""
    try:
        expect(False, "planted")
    except AssertionError:
        expect(statuses(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 Not") == [200, 404], "statuses")
        return
    sys.exit("expect() does not notice a fault")


class Case:
    """What each test gets: program, folder, two models, and the options of main()."""


def main(tests, self_test=expect_notices, **numbers):
    """Runs the functions test_* in `tests`, or self_test(). numbers: more options with their defaults."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--self-test", action="store_true")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if options.self_test:
        return self_test()
    failed = ran = 0
    with tempfile.TemporaryDirectory() as folder:
        case = Case()
        vars(case).update(vars(options), program=options.bin.resolve() / "spanforge", folder=pathlib.Path(folder))
        program = case.program.read_bytes()
        case.sanitized = b"__asan_init" in program or b"__tsan_init" in program  # sanitizers take memory of their own
        case.model, case.other = make_model(case.program, case.folder, 1), make_model(case.program, case.folder, 2)
        for name, test in list(tests.items()):
            if not name.startswith("test_") or options.only not in name:
                continue
            ran += 1
            began = time.monotonic()
            try:
                test(case)
                print(f"ok   {name} {time.monotonic() - began:.1f} s", flush=True)
            except Exception as error:  # the other tests still run
                failed += 1
                print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
    if failed or not ran:
        sys.exit(f"{failed} of {ran} failed")
