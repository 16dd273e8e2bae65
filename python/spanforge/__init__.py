"""Extractive question answering: train, judge, answer. docs/python.md is the guide."""

from spanforge._errors import Error, UsageError
from spanforge import _spanforge, _transport
from spanforge._spanforge import __version__

if hasattr(_spanforge, "set_http_transport"):  # built without libcurl
    _spanforge.set_http_transport(_transport.send)

__all__ = ["Error", "UsageError", "__version__"]
