import re
from html import unescape

import pytest

from deeptheory.reports.html.glossary import glossary_section, linked, marked, terms
from deeptheory.runs.summaries.step_summaries import of_steps

EVIL = "<b>&\"'</script><!--"
ASKED = {
    "field",
    "clipping",
    "cluster",
    "N_c",
    "C_s",
    "noise",
    "served label",
    "SNR",
    "probe",
    "stage",
    "arm",
}
ASKED |= {"dilution", "density", "AFCC", "criterion", "head", "measure split"}


def test_every_word_has_one_sentence_and_one_name():
    names = [name for term in terms() for name in term.names]
    assert len(set(names)) == len(names)
    assert set(names) >= ASKED
    for term in terms():
        assert term.definition.endswith(".")
        assert ". " not in term.definition
    keys = [term.key for term in terms()]
    assert len(set(keys)) == len(keys)
    assert "D<sub>f</sub> = { i : B<sub>f</sub>[i,i] = 1 }" in glossary_section()
    assert all(f'id="{key}"' in glossary_section() for key in keys)


def test_the_head_of_a_column_is_a_link_where_it_is_a_word():
    assert linked("N_c") == '<a class="term" href="#term-N-c">N_c</a>'
    assert linked("labels") == '<a class="term" href="#term-served-label">labels</a>'
    assert linked("clipping", "Clipping") == '<a class="term" href="#term-clipping">Clipping</a>'
    assert unescape(linked(EVIL)) == EVIL
    assert "<b>" not in linked(EVIL)


def test_the_first_mention_in_a_sentence_is_a_link():
    text = marked("noise of 40 labels, SNR (mean field), noise, label-permuted")
    assert re.findall(r">([^<>]+)</a>", text) == ["noise", "SNR", "label-permuted"]
    assert re.sub("<.*?>", "", text) == "noise of 40 labels, SNR (mean field), noise, label-permuted"
    assert "<b>" not in marked(EVIL + " noise " + EVIL)


@pytest.mark.usefixtures("one_thread")
def test_the_columns_of_measures_and_arms_are_words(run):
    known = {name for term in terms() for name in term.names}
    measured = of_steps(run)["measure"].tables[0]
    assert set(measured.header) <= known
    assert {"arm", "retrained", "loss", "loss predicted", "dilution"} <= known
