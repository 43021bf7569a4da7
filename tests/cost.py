"""What keeping all files costs: CPU time of a run with --out against one without.

    python tests/cost.py [BINARY]

The least of several runs of each, in turn, so that whatever else the machine does weighs on both.
"""

import pathlib
import resource
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "target" / "release" / "oceanrig")
SCENARIO = str(ROOT / "scenarios" / "healthy-three-hours.yaml")
LIMIT = 1.3


def cpu_s(*more):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([BINARY, "run", SCENARIO, "--quiet", "--jobs", "1", *more], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


with tempfile.TemporaryDirectory() as out:
    pairs = [(cpu_s(), cpu_s("--out", out)) for _ in range(9)]
without, kept = min(a for a, _ in pairs), min(b for _, b in pairs)
print(f"{without:.2f} s without --out, {kept:.2f} s with it: {kept / without:.2f} times")
assert kept <= LIMIT * without, f"more than {LIMIT} times"
