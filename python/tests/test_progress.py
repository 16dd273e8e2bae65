"""Bars in a notebook: one display for each stage, updated in place. IPython is a stand-in."""

import sys
import types

import pytest

from spanforge._progress import Bars


@pytest.fixture
def notebook(monkeypatch):
    shown = []

    class Handle:
        def __init__(self, content):
            self.contents = [content]

        def update(self, content, raw):
            self.contents.append(content)

    def display(content, raw, display_id):
        shown.append(Handle(content["text/plain"] and content))
        return shown[-1]

    module = types.ModuleType("IPython.display")
    module.display = display
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=1)
    for name, value in (("ipykernel", types.ModuleType("ipykernel")), ("IPython", ipython), ("IPython.display", module)):
        monkeypatch.setitem(sys.modules, name, value)
    return shown


def test_a_notebook_shows_one_bar_for_each_stage(notebook, capsys):
    bars = Bars(disable=False)
    bars._every = 0
    for done in range(4):
        bars.update("map", done, 3)
    for done in range(3):
        bars.update("train", done, 2)
        bars.update("evaluate", 5, 10)
    bars.close()
    texts = [[content["text/plain"] for content in handle.contents] for handle in notebook]
    assert [len(one) for one in texts] == [4, 3, 3]
    assert "Map: 100%" in texts[0][-1] and "2/2" in texts[1][-1] and "examples" in texts[2][0]
    assert capsys.readouterr() == ("", "")


def test_neither_terminal_nor_notebook_shows_nothing(capsys):
    bars = Bars(disable=False)
    bars.update("train", 1, 2)
    bars.close()
    assert capsys.readouterr() == ("", "")


def test_disabled_shows_nothing(notebook):
    Bars(disable=True).update("train", 1, 2)
    assert not notebook
