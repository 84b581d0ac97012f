"""python -m tests.fuzz --count 1000000 --seed 1 --jobs 2 --out findings

Reads so many damaged inputs, each with a limit on time, each process with one on memory; what is neither read nor
refused in one line is written to the folder, with what happened beside it.  The same seed gives the same inputs.
"""

import argparse
import multiprocessing
import os
import re
import sys
import time
from functools import partial
from pathlib import Path

from tests.fuzz.blocks import BLOCK, block


def main() -> None:
    """Run it; exit 1 if there are findings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--out", type=Path, default=Path("findings"))
    parser.add_argument("--seconds", type=float, default=20.0, help="that one input may take")
    parser.add_argument("--gigabytes", type=float, default=6.0, help="of address space that a process may have")
    given = parser.parse_args()
    work = partial(block, seed=given.seed, count=given.count, limit_s=given.seconds, memory=int(given.gigabytes * 1e9))
    begun, findings = time.monotonic(), 0
    with multiprocessing.get_context("spawn").Pool(given.jobs, maxtasksperchild=100) as pool:
        for done, found in enumerate(pool.imap_unordered(work, range(0, given.count, BLOCK)), 1):
            for one in found:
                given.out.mkdir(parents=True, exist_ok=True)
                stem = given.out / f"{re.sub('[^a-z0-9]+', '-', one.form)}-{given.seed}-{one.number}"
                stem.with_suffix(".input").write_bytes(one.data)
                stem.with_suffix(".txt").write_text(one.what, errors="backslashreplace")
                print(f"{stem}: {one.what.strip().splitlines()[-1][:120]}", flush=True)
            findings += len(found)
            if done % 20 == 0:
                print(f"{min(done * BLOCK, given.count):,} inputs, {findings} findings, {time.monotonic() - begun:.0f} s",
                      file=sys.stderr, flush=True)  # fmt: skip
    print(f"{given.count:,} inputs, {findings} findings; seed {given.seed}")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
