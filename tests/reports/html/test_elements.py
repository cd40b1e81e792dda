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
    text = elements.table_html(Table("shares", ("", "which", "share"), [("1", "afcc", "0.5")], left=(1,)))
    assert "<caption>shares</caption>" in text
    assert '<td></td><th scope="col" class="text">which</th><th scope="col" class="number">share</th>' in text
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


def test_verdicts_stay_a_table_where_they_are_shown_as_blocks():
    text = elements.table_html(
        Table("verdicts", ("", "claim", "verdict"), [("H1", EVIL, "supported")], left=(0, 1))
    )
    assert '<table class="stacked" role="table">' in text
    assert '<tr role="row"><th scope="row" role="rowheader" class="text">H1</th>' in text
    assert '<td role="cell" class="number" data-name="verdict">supported</td>' in text
    assert "<b>" not in text


def test_a_drawing_keeps_what_is_referred_to_and_nothing_between():
    svg = (
        '<svg width="9pt">\n <!-- 0.5 -->\n <g id="a-unused">\n  <path id="a-m1" d="M 0 0 \nL 1 1"/>\n </g>\n'
    )
    svg += ' <use xlink:href="#a-m1"/>\n <g clip-path="url(#a-p1)"/>\n <clipPath id="a-p1"/>\n</svg>'
    drawn = elements.figure_html(svg, "caption")
    assert '<g><path id="a-m1" d="M 0 0 L 1 1"/></g><use xlink:href="#a-m1"/>' in drawn
    assert '<g clip-path="url(#a-p1)"/><clipPath id="a-p1"/></svg>' in drawn
