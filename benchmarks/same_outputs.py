"""Do two checkouts say the same?  Runs 20 commands in each and compares numbers, JSON keys and files.

    python -m benchmarks.same_outputs BEFORE AFTER

BEFORE and AFTER are folders with a checkout each; both run under the Python that runs this.  What is compared: every
value of the JSON documents (numbers exactly), every row of the CSV files, the bytes of other files.  Renames that the
changelog announces are undone first (`RENAMED`), texts for people (assumptions) are left out, and keys that only the
later checkout has, and counts that mean something else (`RECOUNTED`), are counted, not refused.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

# Spelt so since version 0.2.
RENAMED = {"isl": "trunk"}
# Counts that mean something else since version 0.2: scale-out switches only.
RECOUNTED = ("design.switches",)
# For people, not for programs.
TEXTS = {"assumptions", "label", "schema", "warnings", "verdict"}

_IB = "tests/data/infiniband"
_ALL_TO_ALL = ("--collective", "all-to-all")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("loads", "hgx-b200-64", *_ALL_TO_ALL, "--csv", "OUT"),
    ("loads", "hgx-b200-64", *_ALL_TO_ALL, "--group", "16", "--routing", "ecmp", "--placement", "scattered"),
    ("loads", "hgx-b200-64", *_ALL_TO_ALL, "--group", "16", "--routing", "ecmp", "--seeds", "5"),
    ("loads", "gb300-2048", *_ALL_TO_ALL, "--group", "256", "--routing", "dmodk", "--transport", "pxn"),
    ("loads", "hgx-b200-64", "--collective", "all-reduce", "--algorithm", "hierarchical", "--size", "256MiB"),
    ("loads", "hgx-b200-64", "--collective", "all-reduce", "--algorithm", "trees", "--channels", "4"),
    ("loads", "hgx-b200-64", "--collective", "all-reduce", "--algorithm", "auto"),
    ("loads", "gb300-2048", "--collective", "all-reduce", "--parallel", "tp=4,ep=64", "--axis", "dp",
     "--algorithm", "ring"),
    ("loads", "hgx-b200-64", "--trace", "tests/data/kineto/hta_resnet_2rank_rank0.json.gz"),
    ("loads", "FLAT", "--lfts", f"{_IB}/naive64-updn.lfts.gz", *_ALL_TO_ALL, "--csv", "OUT"),
    ("loads", "hgx-b200-64", "--demand", "DEMAND"),
    ("loads", "hgx-b200-64", *_ALL_TO_ALL, "--gpus", "16", "--optimum"),
    ("compare", "hgx-b200-64", *_ALL_TO_ALL, "--no-figure", "--csv", "OUT"),
    ("compare", "gb300-2048", *_ALL_TO_ALL, "--group", "256", "--no-figure"),
    ("compare", "FLAT", "--lfts", f"{_IB}/naive64-updn.lfts.gz", *_ALL_TO_ALL, "--no-figure"),
    ("busbw", "hgx-b200-64", "--collective", "all-reduce", "--sizes", "8B:1GiB"),
    ("busbw", "gb300-2048", "--collective", "all-to-all", "--algorithm", "direct,pxn,two-phase"),
    ("rates", "hgx-b200-64", "--demand", "DEMAND", "--routing", "ecmp", "--csv", "OUT"),
    ("trace", "tests/data/kineto/hta_resnet_2rank_rank0.json.gz", "--csv", "OUT"),
    ("fabric", "check", "FLAT", "--lfts", f"{_IB}/naive64-updn.lfts.gz"),
)  # fmt: skip


def run(checkout: Path, command: tuple[str, ...], folder: Path) -> tuple[Any, str]:
    """The JSON document that a command prints, and the text of the file that it writes."""
    out, demand = folder / "out.csv", folder / "demand.csv"
    out.unlink(missing_ok=True)
    demand.write_text("src,dst,bytes\n" + "".join(f"{n},{(7 * n + 3) % 64},{1000 + n}MB\n" for n in range(64)))
    here = {"OUT": str(out), "DEMAND": str(demand), "FLAT": f"{_IB}/naive64-updn.ibnetdiscover.gz"}
    done = subprocess.run(
        [sys.executable, "-m", "railscope", *(here.get(word, word) for word in command), "--json"],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or not done.stdout:
        raise SystemExit(f"{checkout}: {' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")
    return json.loads(done.stdout), out.read_text() if out.exists() else ""


def differences(before: Any, after: Any, where: str, found: list[str], added: list[str]) -> None:
    """Name each value of `before` that `after` has not, and each key that only `after` has."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in TEXTS:
                continue
            if key in after:
                differences(value, after[key], f"{where}.{key}", found, added)
            else:
                found.append(f"{where}.{key}: gone")
        added += [f"{where}.{key}" for key in after if key not in before and key not in TEXTS]
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            found.append(f"{where}: {len(before)} values, now {len(after)}")
        for number, pair in enumerate(zip(before, after, strict=False)):
            differences(*pair, f"{where}[{number}]", found, added)
    elif where.endswith(RECOUNTED):
        added.append(where)
    elif before != (RENAMED.get(after, after) if isinstance(after, str) else after):
        found.append(f"{where}: {before!r}, now {after!r}")


def main() -> int:
    """Compare the two checkouts that the command line names; 1 if they differ."""
    before, after = (Path(argument).resolve() for argument in sys.argv[1:3])
    differ = 0
    with tempfile.TemporaryDirectory() as name:
        for command in COMMANDS:
            (one, its_file), (other, other_file) = (run(checkout, command, Path(name)) for checkout in (before, after))
            found: list[str] = []
            added: list[str] = []
            differences(one, other, "", found, added)
            for new, old in RENAMED.items():
                other_file = other_file.replace(f",{new},", f",{old},")
            if its_file != other_file:
                found.append("the file differs")
            differ += bool(found)
            news = f" ({len(added)} new or recounted keys)" if added else ""
            print(f"{'differs' if found else 'same'}{news}: {' '.join(command)}")
            for line in found[:8]:
                print(f"    {line}")
    print(f"{len(COMMANDS) - differ} of {len(COMMANDS)} commands say the same")
    return 1 if differ else 0


if __name__ == "__main__":
    raise SystemExit(main())
