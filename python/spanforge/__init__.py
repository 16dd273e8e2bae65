"""Extractive question answering: train, judge, answer. docs/python.md is the guide."""

from spanforge._errors import Error, UsageError
from spanforge._spanforge import __version__

__all__ = ["Error", "UsageError", "__version__"]
