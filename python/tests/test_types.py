"""The package's types: mypy --strict on it and on a user's file, the stub against the module, the generated arguments."""

import pathlib
import subprocess
import sys

from conftest import ROOT

PACKAGE = ROOT / "python/spanforge"
USER = '''
import spanforge

dataset = spanforge.Dataset([{"question": "a", "context": "b"}])
row: spanforge.dataset.Row = dataset[0]
result = spanforge.train(model="m", train=dataset, output="o", learning_rate=3e-5, eval_strategy="epoch", bf16="auto",
                         num_train_epochs=2, freeze=["embeddings"], callbacks=[spanforge.TrainerCallback()])
trained: str = result.trained
score: float = spanforge.evaluate(trained, dataset)["exact"]
ids = spanforge.Tokenizer(trained).encode("a").ids
total: int = int(ids.sum())
try:
    spanforge.Pipeline(trained)(question="a", context="b", top_k=3)
except spanforge.UsageError as error:
    place: tuple[str, str, str] = (error.file, error.where, error.parameter)
'''
WRONG = ['spanforge.train(model="m", learning_rate="fast")', 'spanforge.train(max_stepz=3)', 'spanforge.train(eval_strategy="often")',
         'spanforge.Pipeline("m", thread=2)._nothing', 'x: int = spanforge.Dataset([]).name', 'spanforge.Tokenizer("m").encode(3)']


def mypy(*words, **kwargs):
    return subprocess.run([sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, words)], text=True,
                          capture_output=True, cwd=ROOT / "python", **kwargs)


def test_the_package_is_typed(tmp_path):
    done = mypy("--cache-dir", tmp_path, "-p", "spanforge")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_user_is_checked(tmp_path):
    user = tmp_path / "user.py"
    user.write_text(USER)
    done = mypy("--cache-dir", tmp_path / "cache", user, env={"MYPYPATH": str(ROOT / "python"), "PATH": ""})
    assert (done.returncode, done.stdout) == (0, "")
    user.write_text("import spanforge\n" + "\n".join(WRONG) + "\n")
    done = mypy("--cache-dir", tmp_path / "cache", user, env={"MYPYPATH": str(ROOT / "python"), "PATH": ""})
    lines = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == set(range(2, len(WRONG) + 2)), done.stdout


def test_the_stub_is_that_of_the_module():
    from spanforge import _spanforge

    text = (PACKAGE / "_spanforge.pyi").read_text()
    import ast

    tree = ast.parse(text)
    stated = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))} - {"OptionRow"}
    without_curl = {"HttpExchange", "set_http_transport"}  # only in such a build
    assert stated - without_curl == {name for name in dir(_spanforge) if not name.startswith("__")} - without_curl
    for node in tree.body:  # names of methods and arguments
        if not hasattr(_spanforge, getattr(node, "name", "")):
            continue
        if isinstance(node, ast.ClassDef) and node.name != "OptionRow":
            methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
            assert methods == {name for name in vars(getattr(_spanforge, node.name)) if not name.startswith("__") or name == "__len__"}
            functions = [(one, f"{node.name}.{one.name}") for one in node.body if isinstance(one, ast.FunctionDef)]
        elif isinstance(node, ast.FunctionDef):
            functions = [(node, node.name)]
        else:
            continue
        for function, name in functions:
            target = _spanforge
            for part in name.split("."):
                target = getattr(target, part)
            names = [one.arg for one in function.args.args if one.arg != "self"]
            signature = (getattr(target, "__doc__", "") or "").splitlines()[0]
            if names and "(" in signature:
                found = [part.split(":")[0].strip() for part in signature[signature.index("(") + 1:].split(", ") if ":" in part.split("->")[0]]
                assert [one for one in found if one in names] == names, (name, signature)


def test_arguments_are_those_of_the_program():
    made = subprocess.run([sys.executable, ROOT / "tools/make_python_arguments.py"], text=True, capture_output=True)
    assert made.returncode == 0, made.stderr
    assert made.stdout == (PACKAGE / "_arguments.py").read_text(), "run tools/make_python_arguments.py"


def test_everything_public_has_a_docstring():
    import spanforge

    for name in spanforge.__all__:
        if name == "__version__":
            continue
        assert getattr(spanforge, name).__doc__, name
    documented = spanforge.TrainingArguments.__doc__
    for name in ("learning_rate", "max_seq_length", "eval_strategy"):
        assert f"    {name}: " in documented
