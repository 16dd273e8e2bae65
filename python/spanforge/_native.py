"""Loads the compiled module so that short answers on busy cores are as fast as the program's.

GNU's OpenMP reads GOMP_SPINCOUNT once, when it is loaded: how long a thread spins before it sleeps. Its default,
milliseconds, makes threads hold the cores that others need (docs/answering.md). The variable is there only while the
module is loaded, and not where the user has set one of the two that decide.
"""

from __future__ import annotations

import importlib
import os

_SPIN = "GOMP_SPINCOUNT"


def _load() -> None:
    if _SPIN in os.environ or "OMP_WAIT_POLICY" in os.environ:
        importlib.import_module("spanforge._spanforge")
        return
    os.putenv(_SPIN, "1000")  # not os.environ, which other threads and child processes see
    try:
        importlib.import_module("spanforge._spanforge")
    finally:
        os.unsetenv(_SPIN)


def _bring_http() -> None:
    """Gives a build without libcurl Python's HTTP client, for downloads."""
    from spanforge import _spanforge, _transport

    bring = getattr(_spanforge, "set_http_transport", None)
    if bring is not None:
        bring(_transport.send)


_load()
_bring_http()
