"""Uses the installed package: the interface answers as the program, and a hub is asked through Python's HTTP."""
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading

import spanforge

model = sys.argv[1]
context, question = "Wendy Lambert bought twelve onions at the village fair.", "What did Wendy Lambert buy?"
told = json.loads(subprocess.run([sys.executable, "-m", "spanforge", "ask", "--model", model, "--context", context,
                                  "--question", question, "--json"], check=True, capture_output=True, text=True).stdout)
answer = spanforge.Pipeline(model)(question=question, context=context)
print("the interface:", answer)
told = told[0] if isinstance(told, list) else told
told = told.get("answers", [told])[0]
assert (answer["answer"], answer["start"], answer["end"]) == (told["answer"], told["start"], told["end"]), (answer, told)
assert abs(answer["score"] - told["score"]) < 1e-6, (answer, told)


class Hub(http.server.BaseHTTPRequestHandler):
    """Has one model, whose files are those of MODEL."""
    COMMIT = "0123456789abcdef0123456789abcdef01234567"

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Repo-Commit", self.COMMIT)
        self.send_header("ETag", '"%s"' % self.path.rpartition("/")[2])
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/api/"):
            files = [{"rfilename": name} for name in sorted(os.listdir(model))]
            return self.reply(json.dumps({"sha": self.COMMIT, "siblings": files}).encode())
        with open(os.path.join(model, os.path.basename(self.path)), "rb") as file:
            return self.reply(file.read())

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as cache:
    env = dict(os.environ, HF_HOME=cache, HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}", HF_HUB_OFFLINE="0")
    done = subprocess.run([sys.executable, "-m", "spanforge", "download", "org/name"], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done
    folder = done.stdout.strip()
    for name in ("config.json", "model.safetensors"):
        with open(os.path.join(folder, name), "rb") as one, open(os.path.join(model, name), "rb") as other:
            assert one.read() == other.read(), name
print("a model was fetched through Python's HTTP")
server.shutdown()
