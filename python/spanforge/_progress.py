"""Progress bars, in the program's form, in terminals and in notebooks."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from typing import Any

from spanforge import _spanforge

# Label and unit of each stage.
_STAGES = {"map": ("Map", "examples"), "train": ("", "it"), "evaluate": ("", "examples")}


def _notebook() -> Any:
    """IPython's display module in a notebook, else None."""
    if "ipykernel" not in sys.modules:
        return None
    try:
        ipython = importlib.import_module("IPython")
    except ImportError:
        return None
    shell = ipython.get_ipython()
    return importlib.import_module("IPython.display") if hasattr(shell, "kernel") else None


class _Bar:
    def __init__(self, stage: str, done: int, total: int) -> None:
        self.label, self.unit = _STAGES[stage]
        self.first = done if stage == "train" else 0  # a resumed training
        self.total = total
        self.start = time.monotonic()

    def text(self, done: int, columns: int) -> str:
        seconds = time.monotonic() - self.start
        return _spanforge.bar_text(self.label, self.unit, done, self.total, seconds, done - self.first, columns)


class Bars:
    """At most one line: the bar of the stage that is going on."""

    def __init__(self, disable: bool) -> None:
        self._notebook = None if disable else _notebook()
        terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._shown = not disable and (self._notebook is not None or terminal)
        self._every = 0.1 if self._notebook is None else 0.5
        self._bars: dict[str, _Bar] = {}
        self._handles: dict[str, Any] = {}
        self._drawn = 0.0
        self._visible = False

    def update(self, stage: str, done: int, total: int) -> None:
        if not self._shown:
            return
        bar = self._bars.get(stage)
        if bar is None or bar.total != total:
            bar = self._bars[stage] = _Bar(stage, done, total)
        now = time.monotonic()
        ended = done >= total
        if now - self._drawn < self._every and not ended:
            return
        self._drawn = now
        self._draw(stage, bar, done)
        if ended:
            if self._notebook is None and stage != "evaluate":
                sys.stderr.write("\n")
                self._visible = False
            self.erase()
            del self._bars[stage]
            self._handles.pop(stage, None)

    def _draw(self, stage: str, bar: _Bar, done: int) -> None:
        if self._notebook is None:
            columns = shutil.get_terminal_size().columns
            sys.stderr.write(f"\r{bar.text(done, columns)}\x1b[K")
            sys.stderr.flush()
            self._visible = True
            return
        content = {"text/plain": bar.text(done, 100)}
        if stage in self._handles:
            self._handles[stage].update(content, raw=True)
        else:
            self._handles[stage] = self._notebook.display(content, raw=True, display_id=True)

    def erase(self) -> None:
        """Makes room for printing a line; the next update draws again."""
        if self._visible:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._visible = False
            self._drawn = 0.0

    def close(self) -> None:
        self.erase()
        self._bars.clear()
