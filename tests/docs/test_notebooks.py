"""The notebooks are executed as they are written; what is stored of them is small and without errors.

``jupyter execute --inplace docs/notebooks/first-hour.ipynb`` (of nbclient) writes their outputs anew.
"""

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.ipynb"))
LARGEST = 300_000  # bytes, pictures included


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_stored_is_small_complete_and_without_errors(path):
    text = path.read_text(encoding="utf-8")
    assert len(text) < LARGEST
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"execute_result", "display_data"}
    assert any("image/png" in output["data"] for output in outputs)
    assert "/tmp/" not in text


@pytest.mark.notebook
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")  # of the packages that run the kernel
def test_a_notebook_runs_from_beginning_to_end(path, tmp_path):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    shown = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    kinds = [set(output.data) for cell in shown for output in cell.outputs if "data" in output]
    assert sum("image/png" in of_cell for of_cell in kinds) == 2
    assert sum("text/html" in of_cell for of_cell in kinds) >= 7
    assert list(tmp_path.iterdir()) == []  # nothing is left behind unasked
