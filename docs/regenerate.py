#!/usr/bin/env python3
"""Makes what the README shows: transcripts of real runs, and a real screenshot of the report.

    cargo build --release
    (cd tests/browser && npm ci)
    docs/regenerate.py              # writes README.md and docs/images/
    docs/regenerate.py --check      # exit code 1 when something there is no longer true

--binary takes another oceanrig than target/release/oceanrig; --keep DIR keeps the runs that the page is drawn from
(tests/browser/real.mjs opens them).

A transcript stands between `<!-- transcript: NAME -->` and `<!-- end -->`; its first line is the command. A scenario
file that the command names and that is not there is the YAML block before the transcript. Wall times differ from run
to run: they are compared by their form, and an old one stays where nothing else has changed. The screenshot depends
on fonts and browser; it is compared by the hash of the page that it was drawn from.
"""

import argparse
import difflib
import hashlib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
IMAGES = ROOT / "docs" / "images"
HASH = IMAGES / "report.sha256"
BLOCK = re.compile(r"(<!-- transcript: (?P<name>\S+) -->\n```console\n\$ (?P<command>[^\n]*)\n)(?P<text>.*?)(```\n<!-- end -->)", re.S)
YAML = re.compile(r"```yaml\n(.*?)```", re.S)
# What the page is drawn from, apart from the failing scenario of the README.
PAGE = ["scenarios/healthy-three-hours.yaml", "scenarios/wifi-drop-at-renewal.yaml"]


def without_wall_times(text):
    return re.sub(r"\bin \d+\.\d\d s\b", "in N s", text)


def oceanrig(binary, arguments, where):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CLICOLOR", "GITHUB_"))}
    environment |= {"NO_COLOR": "1", "TERM": "dumb"}
    ended = subprocess.run([binary, *arguments], cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    # Passed and failed are both worth a transcript; anything else is not what the README is about.
    if ended.returncode not in (0, 1):
        sys.exit(f"oceanrig {shlex.join(arguments)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return ended.stdout


def expand(words, where):
    for word in words:
        found = sorted(str(path.relative_to(where)) for path in where.glob(word)) if "*" in word else []
        yield from found or [word]


def transcripts(binary, where):
    """The README with every transcript made anew."""
    readme = README.read_text()

    def made(block):
        command = shlex.split(block["command"])
        if command[0] != "oceanrig":
            sys.exit(f"the transcript {block['name']} does not begin with oceanrig")
        for word in command[1:]:
            if word.endswith(".yaml") and "*" not in word and not (where / word).exists():
                (where / word).write_text(YAML.findall(readme[: block.start()])[-1])
        text = oceanrig(binary, list(expand(command[1:], where)), where)
        old = block["text"]
        same = without_wall_times(text) == without_wall_times(old)
        return block[1] + (old if same else text) + block[5]

    return readme, BLOCK.sub(made, readme)


def page(binary, where):
    """The report of the scenarios in PAGE and of those that the README tells."""
    told = sorted(path.name for path in where.glob("*.yaml"))
    oceanrig(binary, ["run", *PAGE, *told, "--quiet", "--out", "out"], where)
    return where / "out" / "report.html"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when something differs")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target" / "release" / "oceanrig")
    parser.add_argument("--keep", type=pathlib.Path, help="keep the runs in this directory")
    arguments = parser.parse_args()
    binary = arguments.binary.resolve()
    if not binary.exists():
        sys.exit(f"{binary} is not there: cargo build --release")

    with tempfile.TemporaryDirectory() as temporary:
        where = arguments.keep.resolve() if arguments.keep else pathlib.Path(temporary)
        if arguments.keep and where.exists():
            shutil.rmtree(where)
        where.mkdir(parents=True, exist_ok=True)
        for folder in ["scenarios", "fixtures"]:
            (where / folder).symlink_to(ROOT / folder)
        old, new = transcripts(binary, where)
        report = page(binary, where)
        drawn_from = hashlib.sha256(report.read_bytes()).hexdigest()
        known = HASH.read_text().split()[0] if HASH.exists() else ""
        if arguments.check:
            wrong = old != new or drawn_from != known
            if old != new:
                sys.stderr.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "README.md", "what runs print now"))
            if drawn_from != known:
                print("the screenshots in docs/images were drawn from another page than runs make now", file=sys.stderr)
            if wrong:
                sys.exit("docs/regenerate.py makes them true again")
            print("README.md and docs/images are true")
            return
        README.write_text(new)
        IMAGES.mkdir(exist_ok=True)
        subprocess.run(["node", ROOT / "tests" / "browser" / "shots.mjs", report, IMAGES], check=True)
        HASH.write_text(f"{drawn_from}  report.html\n")
        print(f"README.md and {IMAGES.relative_to(ROOT)} are made anew")


if __name__ == "__main__":
    main()
