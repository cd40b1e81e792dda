"""The built site in a browser, from the file system: formulas drawn, no network asked, nothing too wide."""

import importlib
import pkgutil
import sys
import zlib
from pathlib import Path

import pytest

import deeptheory
from deeptheory.reports.figures import FIGURES
from tests.reports.html.chromium import FOUND, Chromium

ROOT = Path(__file__).parents[2]
SITE, DOCS = ROOT / "out" / "docs", ROOT / "docs"
MAIN = ("index", "concepts", "theory", "notebooks/first-hour", "reference/options", "reference/api/measure")
WIDTHS = 500, 1400
built = pytest.mark.skipif(not (SITE / "index.html").exists(), reason="no site (make docs builds it)")


@pytest.fixture(scope="module")
def api():
    """The module that makes the reference; it needs Sphinx."""
    pytest.importorskip("sphinx")
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module("site_parts.api")
    finally:
        sys.path.remove(str(DOCS))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    if FOUND is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@built
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("page", MAIN)
def test_a_page_is_whole_without_a_network(chromium, page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    chromium.call("Emulation.setDeviceMetricsOverride", **size)
    chromium.events.clear()
    chromium.open(SITE / f"{page}.html")
    chromium.evaluate("window.MathJax?.startup?.promise?.then(() => 0)")
    asked = [event["request"]["url"] for event in chromium.named("Network.requestWillBeSent")]
    assert asked[0].endswith(f"{page}.html")
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert chromium.named("Runtime.exceptionThrown") == []
    assert [event for event in chromium.named("Log.entryAdded") if event["entry"]["level"] == "error"] == []
    assert [event for event in chromium.named("Runtime.consoleAPICalled") if event["type"] == "error"] == []
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    formulas, drawn, wrong = (
        chromium.evaluate(f"document.querySelectorAll('{of}').length")
        for of in (".math", ".math svg", "[data-mjx-error]")
    )
    assert (drawn, wrong) == (formulas, 0)
    assert (formulas > 20) == (page in ("concepts", "theory"))


@built
def test_every_public_name_has_its_place_in_the_reference(api):
    inventory = (SITE / "objects.inv").read_bytes().split(b"\n", 4)[4]
    listed = dict(line.split(" ", 1) for line in zlib.decompress(inventory).decode().splitlines())
    for room in api.ROOMS:
        for name in api.public_names(room):
            assert f"reference/api/{room}.html#" in listed[f"deeptheory.{room}.{name}"], name


def test_every_room_that_exports_names_has_a_page(api):
    rooms = [found.name for found in pkgutil.iter_modules(deeptheory.__path__) if found.ispkg]
    exporting = {
        room for room in rooms if getattr(importlib.import_module(f"deeptheory.{room}"), "__all__", ())
    }
    assert exporting
    assert exporting <= set(api.ROOMS)


@built
def test_every_option_has_its_row():
    from deeptheory.runs.configuration import Config, complete
    from deeptheory.runs.option_tables import flatten

    page = (SITE / "reference" / "options.html").read_text(encoding="utf-8")
    for name, _ in flatten(complete(Config())):
        assert f'id="option-{name}"' in page, name


@built
def test_every_command_has_its_section():
    from deeptheory.cli.main import commands

    page = (SITE / "reference" / "commands.html").read_text(encoding="utf-8")
    for name in commands.commands:
        assert f'id="deeptheory-{name}"' in page, name


def test_every_page_is_in_the_contents():
    text = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in [*DOCS.glob("*.md"), *DOCS.glob("notebooks/*.ipynb")]:
        if page.name != "index.md":
            assert f"]({page.relative_to(DOCS)})" in text, page.name


def test_every_figure_is_in_the_gallery_with_its_caption():
    for name in FIGURES:
        assert (DOCS / "gallery" / f"{name}.txt").read_text(encoding="utf-8").startswith(f"{name}\n")
        assert any((folder / f"{name}.png").exists() for folder in (DOCS / "gallery", DOCS)), name
