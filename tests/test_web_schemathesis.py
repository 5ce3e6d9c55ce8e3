"""schemathesis, from outside: it reads the OpenAPI document and tries to show that the API does not keep to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import web_worlds
from web_worlds import Site

site = web_worlds.site

CASES = int(os.environ.get("RANGLI_SCHEMATHESIS_CASES", "6"))
"""Of each operation and phase; ``make fuzz`` tries more."""
SEED = os.environ.get("RANGLI_FUZZ_SEED", "7")
SECONDS_MAX = 3600

CONFIG = """
[checks.positive_data_acceptance]
# 422: what an order says in its texts is checked against its plan, which no schema knows. 413: so is the number of rows.
expected-statuses = ["2xx", "401", "403", "404", "409", "413", "422"]

[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "409", "413", "415", "422"]
"""

HOOKS = """
import json, schemathesis

@schemathesis.serializer("application/x-ndjson")
def lines(ctx, value):
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else json.dumps(value).encode()
"""


def test_the_api_keeps_to_its_openapi_document(site: Site, tmp_path: Path) -> None:
    """Statuses, content types, headers and bodies as promised; no 5xx; nothing taken that the document forbids.

    The feed is left out, for it never ends.
    """
    before = {view.name for view in site.service.programmes()}
    tmp_path.joinpath("schemathesis.toml").write_text(CONFIG, encoding="utf-8")
    tmp_path.joinpath("hooks_of_ours.py").write_text(HOOKS, encoding="utf-8")
    program = Path(sys.executable).with_name("st")
    options = (
        f"--exclude-path-regex /feed$ --max-examples {CASES} --seed {SEED} --no-color --generation-database none --no-shrink"
    )
    ran = subprocess.run(
        [program, "run", f"{site.url}/openapi.json", "--header", f"Authorization: Bearer {site.key}", *options.split()],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks_of_ours", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert 0 == ran.returncode, "\n".join(line[:2000] for line in (ran.stdout + ran.stderr).splitlines())
    assert "Test cases:" in ran.stdout
    assert [] == [line for line in site.lines if '"mistake"' in line]
    assert before <= {view.name for view in site.service.programmes()}
