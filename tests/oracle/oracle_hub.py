"""The model cache against huggingface_hub: each side finds offline what the other has fetched.

    .venv/bin/python tests/oracle/oracle_hub.py --bin build/release/bin [--self-test]

A stand-in hub on loopback serves one repository to both. --self-test damages a cache and fails
unless that is noticed.
"""
import argparse
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WANTED = ["config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json",
          "special_tokens_map.json"]


def make_files():
    config = {"model_type": "bert", "architectures": ["BertForQuestionAnswering"], "hidden_size": 8,
              "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8,
              "vocab_size": 9}
    vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##c\n文\n"
    return {"config.json": json.dumps(config).encode(),
            "vocab.txt": vocab.encode(),
            "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer"}',
            "special_tokens_map.json": b'{"unk_token": "[UNK]"}',
            "model.safetensors": hashlib.sha256(b"seed").digest() * 5000,
            "README.md": b"not fetched"}


def etag(body):
    if len(body) > 1000:
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


class Hub(http.server.BaseHTTPRequestHandler):
    files = make_files()
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def reply(self, status, headers, body=b""):
        self.send_response(status)
        headers.setdefault("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        for revision in ("main", COMMIT):
            if self.path.split("?")[0] == f"/api/models/org/tiny/revision/{revision}":
                listing = {"id": "org/tiny", "modelId": "org/tiny", "sha": COMMIT, "private": False,
                           "tags": [], "downloads": 0, "likes": 0,
                           "siblings": [{"rfilename": name} for name in self.files]}
                return self.reply(200, {"Content-Type": "application/json"},
                                  json.dumps(listing).encode())
            prefix = f"/org/tiny/resolve/{revision}/"
            if self.path.startswith(prefix):
                return self.serve_file(self.path[len(prefix):])
        if self.path.startswith("/storage/"):
            return self.reply(200, {}, self.files[self.path[len("/storage/"):]])
        return self.reply(404, {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def serve_file(self, name):
        if name not in self.files:
            return self.reply(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        body = self.files[name]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{etag(body)}"'}
        if len(body) <= 1000:
            return self.reply(200, headers, body)
        headers |= {"X-Linked-Etag": f'"{etag(body)}"', "X-Linked-Size": str(len(body)),
                    "ETag": '"other"', "Location": f"http://localhost:{self.server.server_port}/storage/{name}"}
        return self.reply(302, headers)


class Checker:
    def __init__(self):
        self.count, self.failures = 0, []

    def equal(self, what, ours, theirs):
        self.count += 1
        if ours != theirs:
            self.failures.append(f"{what}: {ours!r} != {theirs!r}")


def tree(cache):
    """Every file, link and directory entry of a cache, except locks and entries that only one side keeps."""
    out = {}
    for path in sorted(pathlib.Path(cache).rglob("*")):
        name = str(path.relative_to(cache))
        if ".locks" in name or path.name == "CACHEDIR.TAG" or ".no_exist" in name:
            continue
        if path.is_symlink():
            out[name] = "-> " + os.readlink(path)
        elif path.is_file():
            out[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return out


def run_ours(driver, cache, endpoint, offline, model="org/tiny"):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    environment |= {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint, "HF_HOME": str(cache),
                    "HF_HUB_OFFLINE": "1" if offline else "0", "no_proxy": "127.0.0.1,localhost"}
    return subprocess.run([driver, model], env=environment, capture_output=True, text=True)


THEIRS = """
import json, os, sys
import huggingface_hub
if sys.argv[1] == "fetch":
    print(huggingface_hub.snapshot_download("org/tiny", allow_patterns=json.loads(sys.argv[2])))
else:
    print(huggingface_hub.snapshot_download("org/tiny"))
    from transformers import AutoConfig, AutoTokenizer
    config = AutoConfig.from_pretrained("org/tiny")
    tokenizer = AutoTokenizer.from_pretrained("org/tiny")
    print(config.hidden_size, len(tokenizer))
    print(huggingface_hub.scan_cache_dir().size_on_disk)
"""


def run_theirs(mode, cache, endpoint):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    environment |= {"HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint, "HF_HOME": str(cache) + "-home",
                    "HF_HUB_OFFLINE": "1" if mode == "offline" else "0", "HF_HUB_DISABLE_XET": "1",
                    "HF_HUB_DISABLE_TELEMETRY": "1", "no_proxy": "127.0.0.1,localhost",
                    "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return subprocess.run([sys.executable, "-c", THEIRS, mode, json.dumps(WANTED)], env=environment,
                          capture_output=True, text=True)


def compare(check, driver, endpoint, directory, damage):
    ours, theirs = directory / "ours", directory / "theirs"
    done = run_ours(driver, ours, endpoint, offline=False)
    check.equal("our download", (done.returncode, done.stderr), (0, ""))
    done = run_theirs("fetch", theirs, endpoint)
    check.equal("their download", done.returncode, 0)
    if done.returncode:
        check.failures.append(done.stderr[-800:])
    if damage:
        damage(ours)
    check.equal("the two caches", tree(ours), tree(theirs))
    nowhere = "http://127.0.0.1:1"
    done = run_theirs("offline", ours, nowhere)
    check.equal("huggingface_hub offline on our cache", done.returncode, 0)
    if done.returncode == 0:
        lines = done.stdout.split("\n")
        check.equal("their snapshot", lines[0],
                    str(ours / "models--org--tiny" / "snapshots" / COMMIT))
        check.equal("their reading", lines[1], "8 9")
    done = run_ours(driver, theirs, nowhere, offline=True)
    check.equal("spanforge offline on their cache", (done.returncode, done.stdout.strip()),
                (0, str(theirs / "models--org--tiny" / "snapshots" / COMMIT)))
    done = run_ours(driver, theirs, nowhere, offline=True, model="org/other")
    check.equal("spanforge offline on what is not cached", done.returncode, 4)
    done = run_ours(driver, directory / "empty", endpoint, offline=False, model="org/other")
    check.equal("a repository that does not exist", done.returncode, 4)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    driver = str(pathlib.Path(args.bin) / "hub_driver")

    def damage(cache):
        shutil.rmtree(cache / "models--org--tiny" / "refs")

    check = Checker()
    with tempfile.TemporaryDirectory() as directory:
        compare(check, driver, endpoint, pathlib.Path(directory), damage if args.self_test else None)
    server.shutdown()
    import huggingface_hub
    if args.self_test:
        noticed = len(check.failures)
        print(f"oracle_hub self-test: a cache without refs was noticed {noticed} times")
        return noticed < 2
    for failure in check.failures:
        print("DIFFERS", failure)
    print(f"oracle_hub: {check.count} comparisons, {len(check.failures)} differ "
          f"(huggingface_hub {huggingface_hub.__version__})")
    return bool(check.failures)


if __name__ == "__main__":
    sys.exit(main())
