import pytest

from deeptheory.tables import Table, csv_cell


def test_a_table_as_text():
    table = Table(
        "shares", ("arm", "share", "verdict"), [("afcc", "1.5", "no"), ("l1", "-", "yes")], (0, 2), ["note"]
    )
    assert str(table).split("\n") == [
        "shares",
        "arm   share  verdict",
        "--------------------",
        "afcc    1.5  no",
        "l1        -  yes",
        "note",
    ]


@pytest.mark.parametrize("value", ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1"])
def test_a_text_that_a_spreadsheet_would_compute_is_shown(value):
    assert csv_cell(value) == "'" + value


@pytest.mark.parametrize("value", [-1, -0.5, "a=b", "", None])
def test_numbers_and_other_texts_stay(value):
    assert csv_cell(value) is value
