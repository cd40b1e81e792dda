import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deeptheory.errors import InputError
from deeptheory.reports.plot import FORMATS, draw_cluster_sizes, draw_field_matrix, picture_path, save


def small_figure():
    return draw_cluster_sizes({"stage1": [1, 2, 2]}, {"stage1": 2})


@pytest.mark.parametrize("picture_format", FORMATS)
def test_the_same_figure_gives_the_same_bytes(tmp_path, monkeypatch, picture_format):
    field = np.random.default_rng(0).normal(size=(12, 12))
    for name, moment in (("first", "1000000000"), ("second", "1700000000")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", moment)
        save(draw_field_matrix(field, 0.5, []), tmp_path / f"{name}.{picture_format}")
    first = (tmp_path / f"first.{picture_format}").read_bytes()
    assert first == (tmp_path / f"second.{picture_format}").read_bytes()
    assert b"Date" not in first
    assert b"date" not in first


def test_pdf_has_the_width_of_a_column_and_truetype_fonts(tmp_path):
    save(small_figure(), tmp_path / "figure.pdf")
    content = (tmp_path / "figure.pdf").read_bytes()
    width = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", content)
    assert width is not None
    assert float(width[1]) == 3.375 * 72
    assert b"/Type3" not in content
    assert b"STIXGeneral" in content


def test_png_has_200_dots_per_inch(tmp_path):
    save(small_figure(), str(tmp_path / "figure.PNG"))
    with Image.open(tmp_path / "figure.PNG") as image:
        assert image.width == 675
        assert image.format == "PNG"


def test_existing_file_is_replaced_and_nothing_else_left(tmp_path):
    path = tmp_path / "figure.png"
    path.write_text("old")
    save(small_figure(), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert list(tmp_path.iterdir()) == [path]


def test_other_suffix(tmp_path):
    with pytest.raises(InputError, match=r"expected a name ending in \.pdf, \.png, \.svg, found '\.eps'"):
        save(small_figure(), tmp_path / "figure.eps")


def test_a_name_with_a_suffix_is_the_file_and_another_one_its_directory(tmp_path):
    (tmp_path / "run-0.4").mkdir()
    for out, asked, expected in (
        ("new", None, "new/clusters.pdf"),
        ("new", "png", "new/clusters.png"),
        ("one.svg", None, "one.svg"),
        ("one.PNG", "png", "one.PNG"),
        ("run-0.4", "svg", "run-0.4/clusters.svg"),
    ):
        assert picture_path(tmp_path / out, "clusters", asked) == tmp_path / expected
    with pytest.raises(
        InputError, match=r"expected a name ending in .*, found '\.5'; or make that directory first"
    ):
        picture_path(tmp_path / "run-0.5", "clusters")
    with pytest.raises(
        InputError, match=r"--format: expected svg, as '.*one\.svg' ends, found png; leave it out"
    ):
        picture_path(tmp_path / "one.svg", "clusters", "png")


def test_missing_directory(tmp_path):
    with pytest.raises(
        InputError, match=r"expected an existing directory, found no directory .*create it first"
    ):
        save(small_figure(), tmp_path / "absent" / "figure.pdf")


def test_read_only_directory_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "figure.pdf"
    path.write_text("old")

    def refuse(self, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)  # root may write to a directory without write permission
    with pytest.raises(InputError, match="found Permission denied; choose another output directory"):
        save(small_figure(), path)
    assert path.read_text() == "old"


def test_directory_of_that_name_is_refused_and_nothing_left(tmp_path):
    (tmp_path / "figure.pdf").mkdir()
    with pytest.raises(InputError, match="a place that can be written to, found Is a directory"):
        save(small_figure(), tmp_path / "figure.pdf")
    assert [entry.name for entry in tmp_path.iterdir()] == ["figure.pdf"]
