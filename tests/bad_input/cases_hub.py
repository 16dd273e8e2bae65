"""A hub that answers wrongly: `download` ends with exit code 4 and a line that names the address."""
import http.server
import json
import threading

from table import NETWORK, case

COMMIT = "c" * 40
LISTING = "/api/models/org/name/revision/main"
FILE = "/org/name/resolve/main/"


class Server:
    """answer(handler): writes the answer to one request."""

    def __init__(self, answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                answer(self)

            do_HEAD = do_GET

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def reply(handler, status=200, body=b"", length=None, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
    if length is not None:
        handler.close_connection = True


def listing(handler):
    reply(handler, body=json.dumps({"sha": COMMIT, "siblings": [
        {"rfilename": name} for name in ("config.json", "model.safetensors", "vocab.txt")]}).encode())


def raw(text):
    def answer(handler):
        handler.wfile.write(text)
        handler.close_connection = True
    return answer


def hub(name, of_listing, of_file=None, *says):
    def answer(handler):
        (of_listing if handler.path == LISTING or of_file is None else of_file)(handler)
    case("hub/" + name, "download org/name", NETWORK, [r"127\.0\.0\.1|org/name", *says], lambda d: None,
         server=lambda: Server(answer))


def file_reply(body, **more):
    headers = {"X_Repo_Commit": COMMIT, "ETag": '"' + "0" * 40 + '"', **more}
    return lambda handler: reply(handler, body=body, **headers)


hub("login-page", lambda h: reply(h, body=b"<!DOCTYPE html><title>Wi-Fi</title>"), None, "web page")
hub("gated", lambda h: reply(h, 403, X_Error_Code="GatedRepo"), None, "gated", "HF_TOKEN")
hub("no-token", lambda h: reply(h, 401, X_Error_Code="RepoNotFound"), None, "HF_TOKEN")
hub("file-an-lfs-pointer", listing, file_reply(
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", ETag='"mirror"'), "LFS pointer")
hub("not-found", lambda h: reply(h, 404))
hub("forbidden", lambda h: reply(h, 403), None, "HF_TOKEN")
hub("listing-not-json", lambda h: reply(h, body=b"<html>"))
hub("listing-depth-100k", lambda h: reply(h, body=b'{"siblings":' + b"[" * 100_000))
hub("listing-of-other-types", lambda h: reply(h, body=b'{"sha": 7, "siblings": {"a": 1}}'))
hub("listing-commit-a-path", lambda h: reply(h, body=b'{"sha": "../../x", "siblings": []}'))
hub("redirect-without-end", lambda h: reply(h, 302, Location=LISTING))
hub("redirect-to-a-file", lambda h: reply(h, 302, Location="file:///etc/passwd"))
hub("redirect-to-nothing", lambda h: reply(h, 302, Location="http://["))
hub("ten-thousand-headers", raw(b"HTTP/1.1 200 OK\r\n" + b"".join(
    b"X-%d: y\r\n" % i for i in range(10_000)) + b"\r\n"))
hub("header-without-end", raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000))
hub("not-http", raw(b"SSH-2.0-OpenSSH\r\n"))
hub("file-redirect-without-end", listing, lambda h: reply(h, 302, Location=h.path, X_Repo_Commit=COMMIT,
                                                          ETag='"a"'))
hub("file-redirect-to-a-file", listing, lambda h: reply(
    h, 302, Location="file:///etc/passwd", X_Repo_Commit=COMMIT, ETag='"a"'))
hub("file-of-the-wrong-hash", listing, file_reply(b'{"model_type": "bert"}'), "config.json")
hub("file-etag-a-path", listing, file_reply(b"{}", ETag='"../../x"'))
hub("file-without-etag", listing, lambda h: reply(h, body=b"{}", X_Repo_Commit=COMMIT))
hub("file-shorter-than-said", listing, file_reply(b"{}", length=500))
hub("file-of-a-negative-length", listing, raw(
    b"HTTP/1.1 200 OK\r\nX-Repo-Commit: " + COMMIT.encode() + b'\r\nETag: "' + b"0" * 40 +
    b'"\r\nContent-Length: -1\r\n\r\n{}'))
