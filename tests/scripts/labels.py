"""Every test has exactly one of the labels fast and slow, and at least one more: what it is about."""
import argparse
import json
import subprocess
import sys


def problems(listing):
    for test in listing["tests"]:
        if test["name"].endswith("_NOT_BUILT"):
            continue  # stands for the tests of a program that this build has not made
        labels = [label for item in test.get("properties", []) if item["name"] == "LABELS" for label in item["value"]]
        speeds = [label for label in labels if label in ("fast", "slow")]
        if len(speeds) != 1 or len(labels) == 1:
            yield f"{test['name']}: labels {labels}: exactly one of fast and slow is wanted, and a subject"
    if not listing["tests"]:
        yield "there is no test"


def self_test():
    def listing(*labels):
        return {"tests": [{"name": "one", "properties": [{"name": "LABELS", "value": list(labels)}]}]}
    assert not list(problems(listing("base", "fast")))
    assert not list(problems(listing("slow", "base")))
    assert not list(problems({"tests": [{"name": "ops_test_NOT_BUILT"}]}))
    for bad in (listing(), listing("base"), listing("fast"), listing("base", "fast", "slow"), {"tests": []},
                {"tests": [{"name": "one"}]}):
        assert list(problems(bad)), bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ctest")
    parser.add_argument("--build")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        self_test()
        return
    listed = subprocess.run([args.ctest, "--test-dir", args.build, "--show-only=json-v1"], capture_output=True,
                            text=True, check=True)
    found = list(problems(json.loads(listed.stdout)))
    print("\n".join(found[:20]))
    sys.exit(f"{len(found)} tests are labelled wrongly" if found else 0)


if __name__ == "__main__":
    main()
