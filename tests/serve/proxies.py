"""Runs the reverse proxies and systemd's checker with the files of examples/serve, changed only in addresses, ports and certificates.

Usage: proxies.py --bin DIR [--only NAME] | --self-test
A program that is not installed (nginx, caddy, systemd-analyze) is named and its test fails; ctest leaves this test out if one lacks.
"""
import contextlib
import http.client
import json
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import time

from served import Server, expect, main, make_certificate, one

FILES = pathlib.Path(__file__).parents[2] / "examples/serve"
HOST = "qa.example.org"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def changed(file, *changes):
    """The file's text with each pattern replaced; a pattern that does not occur is a fault."""
    text = (FILES / file).read_text(encoding="utf-8")
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text)
        expect(count > 0, f"{file} has no {pattern}")
    return text


def request(port, certificate, method, path, body=None, host=HOST):
    context = ssl.create_default_context(cafile=certificate)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        connection = http.client.HTTPConnection(host)
        connection.sock = context.wrap_socket(plain, server_hostname=HOST)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Host": host, "Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, reply.read()


@contextlib.contextmanager
def started(command, port):
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(200):
            if process.poll() is not None:
                break
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        expect(process.poll() is None, f"{command[0]} ended: {process.stdout.read() if process.poll() is not None else ''}")
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def check_proxy(server, port, certificate, too_large=(413,)):
    body = json.dumps(one("Anna went", "Anna went home in the evening")).encode()
    for _ in range(20):
        status, reply = request(port, certificate, "POST", "/v1/answer", body)
        expect(status == 200 and json.loads(reply)["answers"], (status, reply))
    expect(json.loads(reply)["answers"] == server.ask(body, headers={"Host": HOST})[1]["answers"], "the server itself answers otherwise")
    expect(request(port, certificate, "GET", "/health/ready")[0] == 200, "health")
    expect(request(port, certificate, "GET", "/metrics")[0] == 403, "metrics are shown to everyone")
    expect(server.ask(None, "/metrics", "GET")[0] == 200, "metrics at the server itself")
    status, reply = request(port, certificate, "POST", "/v1/answer", b"{" + b" " * 3_000_000)
    expect(status in too_large, (status, reply[:200]))
    status, reply = request(port, certificate, "POST", "/v1/answer", b"{")
    expect(status == 400 and b"error_type" in reply, (status, reply))


def test_nginx(case):
    certificate, key = make_certificate(case.folder, HOST, HOST)
    port = free_port()
    with Server(case.program, "--model", case.model, "--allowed-host", HOST) as server:
        site = changed("nginx.conf", (r"listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), (r"127\.0\.0\.1:8080", f"127.0.0.1:{server.port}"),
                       (r"/etc/letsencrypt\S*fullchain\.pem", str(certificate)), (r"/etc/letsencrypt\S*privkey\.pem", str(key)))
        file = case.folder / "nginx.conf"
        folder = case.folder / "nginx"
        folder.mkdir()
        places = "".join(f"{name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        file.write_text(f"daemon off;\nmaster_process off;\npid {folder / 'pid'};\nerror_log stderr;\nevents {{}}\n"
                        f"http {{\naccess_log off;\n{places}{site}\n}}\n", encoding="utf-8")
        with started(["nginx", "-e", "stderr", "-c", file], port):
            check_proxy(server, port, certificate)


def test_caddy(case):
    certificate, key = make_certificate(case.folder, HOST, HOST)
    port = free_port()
    with Server(case.program, "--model", case.model, "--allowed-host", HOST) as server:
        site = changed("Caddyfile", (r"(?m)^qa\.example\.org \{", f"https://{HOST}:{port} {{\n\tbind 127.0.0.1\n\ttls {certificate} {key}"),
                       (r"127\.0\.0\.1:8080", f"127.0.0.1:{server.port}"))
        file = case.folder / "Caddyfile"
        file.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + site, encoding="utf-8")
        with started(["caddy", "run", "--config", file, "--adapter", "caddyfile"], port):
            # Caddy 2.6 sometimes meets its own limit as an error of the connection to the server: 502.
            check_proxy(server, port, certificate, (413, 502))


def test_systemd(case):
    unit = case.folder / "spanforge.service"
    unit.write_text(changed("spanforge.service", (r"/usr/local/bin/spanforge", str(case.program))), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True)
    expect(done.returncode == 0 and "spanforge" not in done.stderr, done)
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=30", unit], capture_output=True, text=True)
    expect(done.returncode == 0, done.stdout[-600:])


if __name__ == "__main__":
    main(globals())
