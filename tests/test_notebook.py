"""The notebook of the documentation runs, and is committed without what it prints."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from cli_runs import SLOW_LANE
from nbclient import NotebookClient
from traitlets.config import Config

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "lab.ipynb"


def notebook() -> Any:  # noqa: ANN401 - nbformat's own
    """The notebook as it is committed."""
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def test_it_is_committed_without_outputs() -> None:
    """Outputs are as large as the program and nobody reads them in a change."""
    code = [cell for cell in notebook().cells if cell.cell_type == "code"]

    assert code
    assert [] == [cell.id for cell in code if cell.outputs or cell.execution_count is not None]


def test_every_step_is_told_in_both_languages() -> None:
    """Chinese first, English beside it."""
    prose = [cell.source for cell in notebook().cells if cell.cell_type == "markdown"]

    assert prose
    assert [] == [text for text in prose if not re.match(r"#+ [\u4e00-\u9fff ]+ · [A-Z][a-z ]+\n\n[\u4e00-\u9fff`]", text)]


@pytest.mark.skipif(SLOW_LANE, reason="it runs scenarios of many thousand orders")
def test_it_runs_from_the_first_cell_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader copies works: tables, chart, guards and claims come out."""
    for name in ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path))
    made = notebook()
    pipes = Config({"KernelManager": {"transport": "ipc", "ip": str(tmp_path / "kernel")}})
    resources = {"metadata": {"path": str(NOTEBOOK.parent)}}
    asyncio.run(NotebookClient(made, kernel_name="python3", timeout=240, resources=resources, config=pipes).async_execute())
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    text = "".join(output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in outputs)

    assert [] == [output.ename for output in outputs if output.output_type == "error"]
    assert 1 == sum("image/png" in output.get("data", {}) for output in outputs)
    assert 2 == sum("text/html" in output.get("data", {}) for output in outputs)
    assert "promised ÷ funded': 25.0" in text
    assert "refuse" in text
    assert "five-times: only-if" in text
