import json
import re
from html import unescape

from deeptheory.reports.html import elements
from deeptheory.tables import Table

EVIL = "<b>&\"'</script><!--"


def test_everything_in_a_table_is_escaped():
    text = elements.table_html(Table(EVIL, (EVIL, "n"), [(EVIL, "1")], notes=[EVIL]))
    assert "<b>" not in text
    assert "</script" not in text
    assert EVIL in unescape(text)
    assert 'aria-label="&lt;b&gt;&amp;&quot;' in text


def test_headers_have_a_scope_and_the_title_is_the_caption():
    text = elements.table_html(Table("shares", ("", "arm", "share"), [("1", "afcc", "0.5")], left=(1,)))
    assert "<caption>shares</caption>" in text
    assert '<td></td><th scope="col" class="text">arm</th><th scope="col" class="number">share</th>' in text
    assert (
        '<th scope="row" class="number">1</th><td class="text">afcc</td><td class="number">0.5</td>' in text
    )
    assert "notes" not in text


def test_no_text_ends_the_element_of_the_numbers():
    text = elements.json_html("data", {"labels": [EVIL, "Ω"]})
    inside = re.fullmatch(r'<script type="application/json" id="data">(.*)</script>', text)
    assert inside is not None
    assert "<" not in inside[1]
    assert json.loads(inside[1]) == {"labels": [EVIL, "Ω"]}


def test_captions_sections_and_details_are_escaped():
    figure = elements.figure_html('<svg width="9pt"></svg>', EVIL)
    assert 'style="--width: 9pt"' in figure
    for text in (
        figure,
        elements.section("a", EVIL, []),
        elements.details(EVIL, []),
        elements.paragraph(EVIL),
    ):
        assert "<b>" not in text
