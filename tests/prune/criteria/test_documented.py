from pathlib import Path

from deeptheory.prune import CRITERIA


def test_the_table_of_criteria_says_what_they_are():
    text = (Path(__file__).parents[3] / "docs" / "criteria.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `")]
    table = {row[1].strip(" `"): (row[3].strip(), row[4].strip()) for row in rows}
    acting = {("weight", "kernel", "filter"): "all"}
    expected = {
        name: (criterion.scope, acting.get(criterion.granularities, ", ".join(criterion.granularities)))
        for name, criterion in CRITERIA.items()
    }
    assert table == expected
