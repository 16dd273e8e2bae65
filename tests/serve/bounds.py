"""Tests the server's limits on real sockets: times, sizes, counts, access, TLS. check_rows.py says which test is for which row.

Usage: bounds.py --bin DIR [--only NAME] | --self-test
Prints what fails and exits 1.
"""
import concurrent.futures
import contextlib
import json
import signal
import socket
import ssl
import subprocess
import time
import warnings

from served import FIELDS, Server, expect, main, make_certificate, one, statuses, text


def post_head(length, *fields):
    return b"POST /v1/answer HTTP/1.1\r\n" + FIELDS + b"".join(f + b"\r\n" for f in fields) + b"Content-Length: %d\r\n\r\n" % length


PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST_PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
CHUNKED = b"POST /v1/answer HTTP/1.1\r\n" + FIELDS + b"Transfer-Encoding: chunked\r\n\r\n"


def test_pipelined_requests_are_answered_in_order(case):
    with Server(case.program, "--model", case.model) as server:
        sent = b""
        for i in range(5):
            body = json.dumps({"questions": [{"id": f"q{i}", "question": "Anna went", "context": text(i, 400 - 80 * i)}]}).encode()
            sent += post_head(len(body)) + body + PING
        out = server.raw(sent + LAST_PING)
        expect(statuses(out) == [200] * 11, out)
        expect([out.index(b'"q%d"' % i) for i in range(5)] == sorted(out.index(b'"q%d"' % i) for i in range(5)), out)
        out = server.raw(PING * 1005)
        expect(statuses(out) == [200] * 1000, f"{len(statuses(out))} requests on one connection")
        expect(out.count(b"Connection: close") == 1 and out.rindex(b"Connection: close") > out.rindex(b"Date: "), out[-400:])


def test_head_dates_versions_and_allow(case):
    with Server(case.program, "--model", case.model) as server:
        out = server.raw(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        expect(statuses(out) == [200] and out.endswith(b"\r\n\r\n") and b"Date: " in out and b"Content-Length: 0" not in out, out)
        out = server.raw(b"GET /ping HTTP/1.0\r\n\r\n")
        expect(statuses(out) == [200] and b"Connection: close" in out, out)
        out = server.raw(b"GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /ping HTTP/1.0\r\n\r\n")
        expect(statuses(out) == [200, 200], out)
        body = json.dumps(one("Anna went", "Anna went home")).encode()
        out = server.raw(b"POST /v1/answer HTTP/1.0\r\n" + FIELDS + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        expect(statuses(out) == [200], out)
        status, _, fields = server.ask(None, "/v1/answer", "QUERY")
        expect(status == 405 and fields["Allow"] == "POST", (status, fields))
        out = server.raw(b"\r\n" + LAST_PING)
        expect(statuses(out) == [200], out)


def test_a_client_that_waits_for_100_gets_it_or_the_refusal(case):
    body = json.dumps(one("Anna went", text(1, 20))).encode()
    with Server(case.program, "--model", case.model) as server:
        with server.connect() as sock:
            sock.sendall(post_head(len(body), b"Expect: 100-continue"))
            expect(statuses(sock.recv(4096)) == [100], "no 100")
            sock.sendall(body)
            expect(statuses(sock.recv(65536)) == [200], "no answer after 100")
        out = server.raw(post_head(len(body), b"Expect: 100-continue").replace(b"application/json", b"text/plain"))
        expect(statuses(out) == [415], out)
        expect(statuses(server.raw(post_head(3_000_000, b"Expect: 100-continue"))) == [413], "a length that is too large")


def test_what_is_behind_a_refused_request_is_no_request(case):
    with Server(case.program, "--model", case.model) as server:
        for fields, status in ((b"Transfer-Encoding: xchunked", 501), (b"Transfer-Encoding: gzip, chunked", 501),
                               (b"Content-Length: 3\r\nContent-Length: 3", 400), (b"Content-Length: 3\r\nTransfer-Encoding: chunked", 400)):
            out = server.raw(b"POST / HTTP/1.1\r\n" + FIELDS + fields + b"\r\n\r\n" + LAST_PING)
            expect(statuses(out) == [status] and b"Connection: close" in out, (fields, out))
        # The body of a refused request is not read as a request.
        out = server.raw(b"POST /nowhere HTTP/1.1\r\n" + FIELDS + b"Content-Length: %d\r\n\r\n" % len(LAST_PING) + LAST_PING)
        expect(statuses(out) == [404] and b"Connection: close" in out, out)


def test_slow_clients_are_told_so(case):
    with Server(case.program, "--model", case.model, "--header-timeout", 1, "--body-timeout", 1, "--idle-timeout", 1) as server:
        for data, wanted in ((b"GET / HT", [408]), (post_head(20) + b"{", [408]), (b"", [408]), (PING, [200])):
            began = time.monotonic()
            out = server.raw(data)
            expect(statuses(out) == wanted and 0.9 < time.monotonic() - began < 6, (data, out, time.monotonic() - began))
        # Single bytes do not extend the time: it is for the whole.
        for data, piece in ((b"GET / HTTP/1.1\r\nA: ", b"b"), (CHUNKED, b"1;" + b"x" * 4000 + b"\r\n \r\n")):
            began = time.monotonic()
            with server.connect() as sock:
                sock.settimeout(0.1)
                sock.sendall(data)
                out = b""
                with contextlib.suppress(OSError):
                    while not out and time.monotonic() - began < 8:
                        sock.sendall(piece)
                        with contextlib.suppress(socket.timeout):
                            out = sock.recv(65536)
                expect(statuses(out) == [408] and 0.9 < time.monotonic() - began < 6, (data, out))


def test_a_client_that_does_not_read_is_cut(case):
    with Server(case.program, "--model", case.model, "--write-timeout", 1) as server:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", server.port))
        # More replies than the kernel holds.
        sock.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 990)
        began = time.monotonic()
        for _ in range(200):
            time.sleep(0.1)
            if server.metric("spanforge_connections") == 1:
                break
        expect(server.metric("spanforge_connections") == 1, "the connection is still there")
        expect(time.monotonic() - began > 0.9, "it was closed too early")
        sock.close()


def test_bodies_are_bounded_each_and_together(case):
    with Server(case.program, "--model", case.model) as server:
        out = server.raw(post_head(3_000_000) + b"x" * 3_000_000)
        expect(statuses(out) == [413] and b"3000000 bytes; 2097152 are allowed" in out, out[:600])
        out = server.raw(CHUNKED + (b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 70)
        expect(statuses(out) == [413], out[:600])
        out = server.raw(CHUNKED + (b"1;" + b"x" * 4000 + b"\r\n \r\n") * 1100)
        expect(statuses(out) == [413] and b"chunks take more" in out, out[:600])
        out = server.raw(CHUNKED + b"1;" + b"x" * 100_000)
        expect(statuses(out) == [400], out[:600])
        with contextlib.ExitStack() as stack:
            for _ in range(32):
                stack.enter_context(server.connect()).sendall(post_head(2 << 20) + b"{")
            time.sleep(0.3)
            status, reply, fields = server.ask(one("Anna", "Anna went home"))
            expect(status == 429 and reply["error_type"] == "bodies" and int(fields["Retry-After"]) >= 1, (status, reply))
            expect(server.ask(None, "/ping", "GET")[0] == 200, "a request without a body")
        time.sleep(0.3)
        expect(server.ask(one("Anna", "Anna went home"))[0] == 200, "an answer after the bodies are gone")


def test_connections_are_bounded(case):
    with Server(case.program, "--model", case.model, "--max-connections", 4) as server, contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(server.connect())
        time.sleep(0.2)
        out = server.raw(b"")
        expect(statuses(out) == [503] and b"Retry-After: 1" in out, out)
        stack.close()
        time.sleep(0.2)
        expect(server.ask(None, "/ping", "GET")[0] == 200, "connections are free again")


def test_what_a_request_may_ask(case):
    with Server(case.program, "--model", case.model, "--max-questions", 3, "--max-request-tokens", 3000, "--max-queue-tokens", 3000) as server:
        status, reply, _ = server.ask({"questions": one("a", "b")["questions"] * 4})
        expect(status == 413 and "has 4 questions; 3 are allowed" in reply["error"] and reply["place"] == "questions", reply)
        status, reply, _ = server.ask(one("Anna", text(1, 20_000)))
        expect(status == 413 and "3000 are allowed" in reply["error"], (status, reply))
        status, reply, _ = server.ask(one(text(1, 600), "Anna"))
        expect(status == 422 and reply["place"] == "questions[0].question", (status, reply))
    with Server(case.program, "--model", case.model) as server:
        expect(server.ask({"questions": one("Anna", "Ben")["questions"] * 1024})[0] == 200, "1,024 questions")
        status, reply, _ = server.ask({"questions": one("Anna", "Ben")["questions"] * 1025})
        expect(status == 413 and "has 1025 questions; 1024 are allowed" in reply["error"], reply)


def sent_for_each_status(method, path):
    """Status and request: what makes the server reply so. 500 is a fault of the model, which Engine.AFaultOfTheModelIsNoFaultOfTheServer plants."""
    bearer, no_host = b"Authorization: Bearer secret\r\n", FIELDS[FIELDS.index(b"\r\n") + 2:]

    def request(target, body, fields=FIELDS + bearer, length=None):
        if method == "POST" and b"Transfer-Encoding" not in fields:
            fields += b"Content-Length: %d\r\n" % (len(body) if length is None else length)
        return f"{method} {target} HTTP/1.1\r\n".encode() + fields + b"Connection: close\r\n\r\n" + body.encode()

    def body(context="Anna went home", model="m", **more):
        if method == "GET":
            return ""
        if path == "/v1/answer":
            return json.dumps(one("Anna went", context, model=model, **more))
        return json.dumps({"inputs": {"question": "Anna went", "context": context}, "parameters": more})

    named = path.replace("{id}", "m")
    return {
        "200": request(named, body()),
        "400": request(named, body(), no_host + bearer),
        "401": request(named, body(), FIELDS),
        "403": request(named, body(), b"Host: evil.example\r\n" + no_host + bearer),
        "404": request(path.replace("{id}", "other"), body(model="other")),
        "408": f"{method} {named} HTTP/1.1\r\nHost: local".encode(),
        "413": request(named, "", length=3_000_000),
        "414": request(named + "?" + "x" * 9000, body()),
        "415": request(named, body(), FIELDS.replace(b"json", b"xml") + bearer),
        "417": request(named, body(), FIELDS + bearer + b"Expect: a miracle\r\n"),
        "422": request(named, body(context="")),
        "431": request(named, body(), FIELDS + bearer + b"X: y\r\n" * 200),
        "501": request(named, body(), FIELDS + bearer + b"Transfer-Encoding: gzip, chunked\r\n"),
        "504": request(named, body(text(1, 20_000), timeout_ms=1)),
    }


def test_every_status_of_the_openapi_file_comes_from_its_route(case):
    token = case.folder / "statuses.token"
    token.write_text("secret\n")
    options = ["--model", f"m={case.model}", "--token-file", token]
    seen, promised = {}, {}

    def note(method, path, status, out):
        seen[method, path, status] = out if statuses(out) == [int(status)] else None

    with Server(case.program, *options, "--header-timeout", 0.5) as server:
        paths = server.ask(None, "/openapi.json", "GET", {"Authorization": "Bearer secret"})[1]["paths"]
        for path, methods in paths.items():
            for method, operation in methods.items():
                promised |= {(method.upper(), path, status): reply for status, reply in operation["responses"].items() if status != "500"}
        routes = sorted({(method, path) for method, path, _ in promised})
        for method, path in routes:
            for status, sent in sent_for_each_status(method, path).items():
                if (method, path, status) in promised:
                    note(method, path, status, server.raw(sent))
        # The bodies of all requests together are bounded.
        with contextlib.ExitStack() as held:
            for _ in range(32):
                held.enter_context(server.connect()).sendall(post_head(2 << 20, b"Authorization: Bearer secret") + b"{")
            time.sleep(0.3)
            for method, path in routes:
                if (method, path, "429") in promised:
                    note(method, path, "429", server.raw(sent_for_each_status(method, path)["200"]))
    with Server(case.program, *options, "--max-connections", 2) as server, contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(server.connect())
        time.sleep(0.2)
        for method, path in routes:
            note(method, path, "503", server.raw(sent_for_each_status(method, path)["200"]))
    missed = {key: seen.get(key) for key in promised if not seen.get(key)}
    expect(not missed, f"promised and not seen: {missed}")
    for key, out in seen.items():
        head, _, body = out.partition(b"\r\n\r\n")
        kind = next(iter(promised[key]["content"]))
        expect(f"Content-Type: {kind}".encode() in head, (key, head))
        if key[2] != "200":
            expect(set(json.loads(body)) == {"error", "error_type", "place", "request_id"}, (key, body))


def test_a_full_queue_and_a_deadline(case):
    huge = {"contexts": [text(1, 3000)], "questions": [{"question": "Anna", "context": 0}] * 40}
    with Server(case.program, "--model", case.model, "--max-request-tokens", 200_000, "--max-queue-tokens", 200_000, "--timeout", 0.5) as server:
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            replies = list(pool.map(lambda _: server.ask(huge), range(6)))
        seen = {status for status, _, _ in replies}
        expect(seen <= {200, 429, 504} and 429 in seen, seen)
        expect(all(int(headers["Retry-After"]) >= 1 for status, _, headers in replies if status == 429), "Retry-After")
    # A batch takes seconds; the deadline does not wait for it.
    with Server(case.program, "--model", case.model, "--max-batch-tokens", 200_000) as server:
        began = time.monotonic()
        status, reply, _ = server.ask({"contexts": [text(1, 3000)], "questions": [{"question": "Anna", "context": 0}] * 8, "timeout_ms": 50})
        expect(status == 504 and reply["error_type"] == "deadline", (status, reply))
        expect(time.monotonic() - began < 1.5, f"504 after {time.monotonic() - began:.2f} s")


def test_who_may_ask(case):
    token = case.folder / "token"
    token.write_text("secret\n")
    with Server(case.program, "--model", case.model, "--token-file", token, "--allowed-host", "qa.example.org",
                "--cors-origin", "https://app.example.org") as server:
        status, reply, fields = server.ask(one("a", "Anna"))
        expect(status == 401 and fields["WWW-Authenticate"].startswith("Bearer"), (status, reply))
        bearer = {"Authorization": "Bearer secret"}
        expect(server.ask(one("a", "Anna"), headers=bearer)[0] == 200, "the token")
        expect(server.ask(one("a", "Anna"), headers={"Authorization": "Bearer secreu"})[0] == 401, "another token")
        expect(server.ask(None, "/metrics", "GET")[0] == 401, "metrics without the token")
        for path in ("/health", "/health/live", "/health/ready", "/ping", "/v2/health/ready", "/"):
            expect(server.ask(None, path, "GET")[0] == 200, f"{path} without a token")
        expect(server.ask(one("a", "Anna"), headers={**bearer, "Host": "evil.example"})[0] == 403, "another host")
        expect(server.ask(one("a", "Anna"), headers={**bearer, "Host": "qa.example.org"})[0] == 200, "an allowed host")
        expect(server.ask(one("a", "Anna"), headers={**bearer, "Origin": "https://evil.example"})[0] == 403, "another origin")
        page = {"Origin": "https://app.example.org"}
        fields = server.ask(one("a", "Anna"), headers={**bearer, **page})[2]
        expect(fields["Access-Control-Allow-Origin"] == "https://app.example.org" and fields["Vary"] == "Origin", fields)
        status, _, fields = server.ask(None, "/v1/answer", "OPTIONS", headers={**page, "Access-Control-Request-Method": "POST"})
        expect(status == 204 and "Authorization" in fields["Access-Control-Allow-Headers"], (status, fields))
        expect(server.ask(None, "/ping", "GET")[2]["Access-Control-Allow-Origin"] is None, "a CORS field without an origin")
        expect(b"secret" not in server.said(), "the token is in the log")
    for options in ([], ["--token-file", token], ["--tls-certificate", "x"]):
        done = subprocess.run([case.program, "serve", "--model", case.model, "--host", "0.0.0.0", "--port", "0", *options],
                              capture_output=True, text=True)
        expect(done.returncode == 2 and len(done.stderr.splitlines()) == 1, (options, done))
    for options in (["--insecure"], ["--insecure", "--token-file", token]):
        with Server(case.program, "--model", case.model, "--host", "0.0.0.0", *options) as server:
            expect(server.ask(None, "/ping", "GET")[0] == 200, options)


def health(case, port, *options):
    done = subprocess.run([case.program, "health", "--port", str(port), *options], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_the_health_command(case):
    certificate, key = make_certificate(case.folder, "elsewhere")
    tls = ssl.create_default_context(cafile=certificate)
    with Server(case.program, "--model", case.model) as server:
        expect(health(case, server.port) == (0, "ready\n"), health(case, server.port))
        code, said = health(case, server.port, "--tls")
        expect(code == 4 and "no answer over TLS" in said, (code, said))
        server.stop()
        code, said = health(case, server.port)
        expect(code == 4 and f"http://127.0.0.1:{server.port}/health/ready: Connection refused" in said, (code, said))
        server.stop = lambda: None
    with Server(case.program, "--model", case.model, "--tls-certificate", certificate, "--tls-key", key, tls=tls) as server:
        expect(health(case, server.port, "--tls") == (0, "ready\n"), health(case, server.port, "--tls"))
        expect(health(case, server.port)[0] == 4, "plain HTTP to a port with TLS")
    # Others that listen: one that never answers, one whose answer is another, one that speaks no HTTP.
    for reply, words in ((None, "no answer in time"), (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "is not ready: status 503"),
                         (b"220 mail ready\r\n", "the answer is not HTTP"), (b"", "the answer is not HTTP")):
        with socket.create_server(("127.0.0.1", 0)) as listener, concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(health, case, listener.getsockname()[1], "--timeout", "0.5")
            with listener.accept()[0] as sock:
                if reply is not None:
                    sock.recv(1000)
                    sock.sendall(reply)
                    sock.shutdown(socket.SHUT_WR)
                code, said = asked.result()
            expect(code == 4 and words in said, (reply, code, said))


def test_tls(case):
    certificate, key = make_certificate(case.folder, "first")
    tls = ssl.create_default_context(cafile=certificate)
    options = ["--model", case.model, "--tls-certificate", certificate, "--tls-key", key]
    with Server(case.program, *options, "--header-timeout", 1, tls=tls) as server:
        expect(b"serving at https://" in server.said(), server.said())
        expect(server.ask(one("Anna went", text(1, 300)))[0] == 200, "an answer")
        expect(statuses(server.raw(PING * 3 + LAST_PING)) == [200] * 4, "pipelined")
        out = server.raw(post_head(3_000_000) + b"x" * 3_000_000)
        expect(statuses(out) == [413], out[:300])
        expect(statuses(server.raw(b"GET / HT")) == [408], "a slow header")
        with server.connect() as sock:
            body = json.dumps(one("Anna went", text(1, 20))).encode()
            sock.sendall(post_head(len(body), b"Expect: 100-continue"))
            expect(statuses(sock.recv(4096)) == [100], "no 100")
            sock.sendall(body)
            expect(statuses(sock.recv(65536)) == [200], "no answer after 100")
        # Without a handshake there is no reply, and the header's time limit holds.
        for data in (b"", PING):
            began = time.monotonic()
            with socket.create_connection(("127.0.0.1", server.port), timeout=15) as sock:
                sock.sendall(data)
                out = b""
                with contextlib.suppress(ConnectionResetError):
                    while piece := sock.recv(4096):
                        out += piece
            expect(b"HTTP" not in out and time.monotonic() - began < 6, (data, out))
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        try:
            old.wrap_socket(socket.create_connection(("127.0.0.1", server.port), timeout=15)).close()
            expect(False, "TLS 1.1 is accepted")
        except (ssl.SSLError, ConnectionResetError):
            pass
        make_certificate(case.folder, "second")
        server.process.send_signal(signal.SIGHUP)
        before, shown = certificate.read_text(), ""
        for _ in range(100):
            shown = ssl.get_server_certificate(("127.0.0.1", server.port))
            if ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(before):
                break
            time.sleep(0.05)
        expect(ssl.PEM_cert_to_DER_cert(shown) == ssl.PEM_cert_to_DER_cert(before), "SIGHUP does not bring the new certificate")
        key.write_text("nothing")
        server.process.send_signal(signal.SIGHUP)
        for _ in range(100):
            if b"the certificate is not replaced" in server.said():
                break
            time.sleep(0.05)
        expect(ssl.get_server_certificate(("127.0.0.1", server.port)) == shown, "a bad key is accepted")
    done = subprocess.run([case.program, "serve", *options, "--port", "0"], capture_output=True, text=True)
    expect(done.returncode == 3 and "key.pem" in done.stderr and len(done.stderr.splitlines()) == 1, done)


if __name__ == "__main__":
    main(globals())
