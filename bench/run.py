"""Runs the workloads of bench/workloads; bench.sh builds what they need and calls this.

Prints every workload's tables as soon as it is done. At the end build/bench/results.json and
build/bench/results.md hold all of them; for workloads not run now, those of earlier runs.
"""
import argparse
import datetime
import importlib
import json
import os
import pathlib
import platform
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from harness import ROOT, Context, Skipped, Table

PAGE = ROOT / "docs/measurements.md"

# Name -> module of bench/workloads and, if the module measures several things, which.
WORKLOADS = {name: (name, None) for name in ("roofline", "startup", "tokenizer", "nbest", "squad", "load", "growth", "optimizers", "hardening", "answering", "serving")}
WORKLOADS |= {f"training-{part}": ("training", part) for part in ("large", "base", "minilm")}


def machine():
    name = platform.processor() or platform.machine()
    for line in open("/proc/cpuinfo", encoding="utf-8"):
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores of {name}, {memory:.0f} GiB"


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="name the workloads and what they measure")
    parser.add_argument("--only", type=lambda s: s.split(","), default=list(WORKLOADS), metavar="A,B")
    parser.add_argument("--skip", type=lambda s: s.split(","), default=[], metavar="A,B")
    parser.add_argument("--quick", action="store_true", help="small and few runs: proves that it works, measures little")
    parser.add_argument("--data", type=pathlib.Path, help="folder of real data (xquad/, cmrc2018/, ...)")
    parser.add_argument("--write", action="store_true", help="also write the tables into docs/measurements.md")
    options = parser.parse_args(arguments)
    unknown = set(options.only + options.skip) - set(WORKLOADS)
    if unknown:
        parser.error(f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}")
    if options.write and options.quick:
        parser.error("--write wants real figures, --quick gives none")
    return options


def section(name, result):
    """A workload's tables as Markdown, with its command, date and machine."""
    lines = [f"`./bench.sh --only {name}`, {result['date']}, {result['machine']}: {result['what']}.", ""]
    if "skipped" in result:
        lines += [f"Not run: {result['skipped']}", ""]
    lines += [Table(**table).markdown() for table in result.get("tables", [])]
    return "\n".join(lines).rstrip() + "\n"


def updated(page, results):
    """`page`, with the tables between each workload's two comments replaced if it ran."""
    for name, result in results.items():
        if "skipped" in result:
            continue
        begin, end = f"<!-- bench.sh --write: {name} -->\n", f"<!-- end of {name} -->\n"
        before, found, rest = page.partition(begin)
        _, ended, after = rest.partition(end)
        if not found or not ended:
            raise SystemExit(f"bench: {PAGE.relative_to(ROOT)} has no place for {name}: {begin.strip()} ... {end.strip()}")
        page = before + begin + section(name, result) + end + after
    return page


def main():
    options = parse(sys.argv[1:])
    modules = {name: importlib.import_module(f"workloads.{module}") for name, (module, _) in WORKLOADS.items()}
    parts = {name: part for name, (_, part) in WORKLOADS.items()}
    whats = {name: module.WHAT[parts[name]] if parts[name] else module.WHAT for name, module in modules.items()}
    if options.list:
        for name, what in whats.items():
            print(f"{name:15} {what}")
        return 0
    data = options.data or next((p for p in [ROOT.parent / "shared/data"] if p.is_dir()), None)
    if options.write:  # checked before hours of measuring: the page must have a place for them
        updated(PAGE.read_text(), {name: {"what": "", "date": "", "machine": ""} for name in WORKLOADS})
    folder = ROOT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / ("quick.json" if options.quick else "results.json")
    results = json.loads(file.read_text()) if file.exists() else {}
    failed = []
    for name, module in modules.items():
        if name not in options.only or name in options.skip:
            continue
        print(f"bench: {name} ...", file=sys.stderr, flush=True)
        work = folder / name
        work.mkdir(exist_ok=True)
        result = {"what": whats[name], "machine": machine(),
                  "date": datetime.datetime.now().strftime("%Y-%m-%d %H:%M")}
        try:
            tables, raw = module.run(Context(options.quick, data, work, parts[name]))
            result |= {"tables": [vars(t) for t in tables], "raw": raw}
            print("\n".join(t.markdown() for t in tables), flush=True)
        except Skipped as reason:
            result["skipped"] = str(reason)
            print(f"bench: {name} is not run: {reason}", file=sys.stderr)
        except Exception as error:  # one workload's failure must not lose the others' figures
            result["skipped"] = f"failed: {error}"
            failed.append(name)
            print(f"bench: {name} FAILED: {error}", file=sys.stderr)
        results[name] = result
        file.write_text(json.dumps(results, indent=1, ensure_ascii=False))
        file.with_suffix(".md").write_text("\n".join(section(name, results[name]) for name in WORKLOADS if name in results))
    if options.write:
        PAGE.write_text(updated(PAGE.read_text(), results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
