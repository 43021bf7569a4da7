"""Reads what a run left behind with readers that are not ours: JUnit, VCD, JSON Schema.

    python tests/readers.py DIR    # DIR of `oceanrig run scenarios/ --out DIR`
"""

import json
import pathlib
import sys

import jsonschema
from junitparser import JUnitXml
from ruamel.yaml import YAML
from vcdvcd import VCDVCD

# YAML 1.2, as the harness reads it: `on` is a name and not a truth value.
yaml = YAML(typ="safe", pure=True)
root = pathlib.Path(__file__).resolve().parent.parent
runs = pathlib.Path(sys.argv[1])

xml = JUnitXml.fromfile(str(runs / "junit.xml"))
cases = [case for suite in xml for case in suite]
assert len(cases) >= 8, f"{len(cases)} test cases in junit.xml"
assert xml.failures == 0 and xml.errors == 0, (xml.failures, xml.errors)

# Relay 1 is GPIO4: switched on at 20 minutes, off at two hours.
vcd = VCDVCD(str(runs / "healthy-three-hours" / "pins.vcd"))
(relay,) = [name for name in vcd.references_to_ids if name.endswith("gpio4")]
levels = [(time / 1e9, level) for time, level in vcd[relay].tv if level in "01"]
ons = [time for time, level in levels if level == "1"]
assert any(1200 <= time <= 1210 for time in ons), levels

schema = json.loads((root / "docs" / "scenario.schema.json").read_text())
jsonschema.Draft202012Validator.check_schema(schema)
files = sorted((root / "scenarios").rglob("*.yaml"))
for path in files:
    text = path.read_text()
    if "${" in text:
        # A parameter stands where the schema wants the value's own form.
        continue
    jsonschema.validate(yaml.load(text), schema)
broken = yaml.load((root / "scenarios" / "power-cycle.yaml").read_text()) | {"expectt": []}
try:
    jsonschema.validate(broken, schema)
except jsonschema.ValidationError:
    pass
else:
    raise AssertionError("the schema takes an unknown key")

print(f"{len(cases)} test cases, {len(levels)} edges of relay 1, {len(files)} scenario files: read")
