from deeptheory.tables import Table


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
