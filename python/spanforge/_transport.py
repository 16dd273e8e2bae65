"""Sends the requests of a download through Python's HTTP and TLS, in a build without libcurl.

Whom to ask, with which token, what a redirect means and what is written where is decided elsewhere
(src/spanforge/hub/): this asks one server once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

# Imported when something is downloaded: they are not cheap.
if TYPE_CHECKING:
    import ssl

PIECE = 1 << 16


class HttpExchange(Protocol):
    """One request, and what becomes of it."""

    head: bool  # else GET
    url: str
    headers: list[str]  # "Name: value"
    timeout_seconds: float
    proxy: str  # "": none
    ca_file: str  # "": the system's certificates
    ca_directory: str

    def begin(self, status: int, headers: dict[str, str]) -> None: ...
    def take(self, piece: bytes) -> bool: ...
    def fail(self, trouble: str, words: str, proxy_status: int) -> None: ...


def send(exchange: HttpExchange) -> None:
    """Fills the exchange (python/src/transport.cpp); network errors are in it, not raised."""
    import ssl

    try:
        context = _context(exchange)
    except (OSError, ssl.SSLError) as error:
        exchange.fail("no certificates", str(error), 0)
        return
    try:
        response = _open(exchange, context)
    except Exception as error:
        _fail(exchange, error)
        return
    with response:
        exchange.begin(response.status, {name.lower(): value for name, value in response.headers.items()})
        try:
            while not exchange.head and (piece := response.read1(PIECE)):
                if not exchange.take(piece):
                    exchange.fail("other", "the transfer was stopped", 0)
                    return
            if not exchange.head and response.length:
                exchange.fail("other", f"the connection was closed with {response.length} bytes missing", 0)
        except TimeoutError as error:
            exchange.fail("timeout", str(error), 0)
        except Exception as error:
            exchange.fail("other", f"{type(error).__name__}: {error}", 0)


def _context(exchange: HttpExchange) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context(cafile=exchange.ca_file or None, capath=exchange.ca_directory or None)
    if not exchange.ca_file and not exchange.ca_directory and not context.cert_store_stats()["x509_ca"]:
        paths = ssl.get_default_verify_paths()
        if not paths.capath:  # certificates in a folder are read when they are needed
            try:
                import certifi
                context.load_verify_locations(certifi.where())
            except ImportError:
                pass
    return context


def _open(exchange: HttpExchange, context: ssl.SSLContext) -> Any:
    import urllib.request

    class AnyStatus(urllib.request.HTTPErrorProcessor):  # follows no redirect, raises for no status
        def http_response(self, request: Any, response: Any) -> Any:
            return response

        https_response = http_response

    proxy = exchange.proxy
    if proxy.startswith("socks"):
        raise OSError("Python's client knows no SOCKS proxy; http:// is possible")
    proxies = {"http": proxy, "https": proxy} if proxy else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler(proxies), AnyStatus,
                                         urllib.request.HTTPSHandler(context=context))
    request = urllib.request.Request(exchange.url, method="HEAD" if exchange.head else "GET",
                                     headers={"User-Agent": "spanforge"})
    for line in exchange.headers:
        name, _, value = line.partition(": ")
        # A proxy and a redirect must not see it.
        (request.add_unredirected_header if name == "Authorization" else request.add_header)(name, value)
    return opener.open(request, timeout=max(1.0, exchange.timeout_seconds))


def _fail(exchange: HttpExchange, error: Exception) -> None:
    import re
    import socket
    import ssl
    import urllib.error

    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    words = str(reason)
    through_proxy = bool(exchange.proxy)
    tunnel = re.search(r"Tunnel connection failed: (\d+)", words)
    if tunnel:
        exchange.fail("proxy refuses", words, int(tunnel.group(1)))
        return
    if isinstance(reason, socket.gaierror):
        trouble = "proxy name" if through_proxy else "name"
    elif isinstance(reason, ssl.SSLCertVerificationError):
        trouble = "certificate"
    elif isinstance(reason, ssl.SSLError):
        trouble = "tls"
    elif isinstance(reason, TimeoutError):
        trouble = "connect timeout"
    elif isinstance(reason, (ConnectionRefusedError, ConnectionResetError)) or getattr(reason, "errno", None):
        trouble = "proxy silent" if through_proxy else "connect"
    else:
        trouble = "other"
    exchange.fail(trouble, words, 0)
