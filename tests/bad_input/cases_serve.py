"""Options and files that `serve` refuses before it listens."""
from table import IO, MODEL, NETWORK, USAGE, case, put

SERVE = "serve --model m --port 0 --threads 1"


def serve(name, options, says, make=lambda directory: None, exit=USAGE):
    case("serve/" + name, options if options.startswith("serve") else f"{SERVE} {options}", exit, says, make)


serve("no-model", "serve --port 0", "--model")
serve("model-missing", "serve --model absent --port 0", "absent", exit=NETWORK)
serve("two-models-of-one-name", "serve --model m --model m --port 0", ["--model", "NAME=DIR"])
serve("model-without-directory", "serve --model news= --port 0", "--model")
serve("host-is-a-name", "--host example.org", ["--host", "no IP address"])
serve("port-too-large", "--port 65536", "--port")
serve("reachable-without-token", "--host 0.0.0.0", ["--host", "--token-file", "--tls-certificate"])
serve("token-missing", "--token-file absent", "absent", exit=IO)
serve("token-empty", "--token-file token", ["token", "one line"], put("token", "\n"))
serve("token-of-two-lines", "--token-file token", ["token", "one line"], put("token", "a\nb\n"))
serve("certificate-without-key", "--tls-certificate c.pem", ["--tls-certificate", "--tls-key"])
serve("certificate-missing", "--tls-certificate c.pem --tls-key k.pem", r"c\.pem", exit=IO)
serve("certificate-is-none", "--tls-certificate text.txt --tls-key text.txt", r"text\.txt", exit=MODEL)
serve("more-a-request-than-waits", "--max-request-tokens 10 --max-queue-tokens 9", "--max-request-tokens")
serve("memory-too-small", "--max-memory-bytes 1000000", ["--max-memory-bytes", "models"])
serve("more-connections-than-files", "--max-connections 1000000000", ["--max-connections", "open files"])
