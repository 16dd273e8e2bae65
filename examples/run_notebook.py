"""Runs a notebook's code from top to bottom, as "Run all" does, without Jupyter. Usage: run_notebook.py NOTEBOOK

Prints the value of each cell's last expression. An exception ends it, with the cell's number.
"""
import ast
import json
import sys


def run(cells):
    names = {"__name__": "__main__"}
    for number, source in enumerate(cells, 1):
        tree = ast.parse(source, f"cell {number}")
        last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"cell {number}", "exec"), names)
        if last is not None:
            value = eval(compile(last, f"cell {number}", "eval"), names)
            if value is not None:
                print(repr(value)[:500])


with open(sys.argv[1], encoding="utf-8") as file:
    notebook = json.load(file)
run(["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"])
