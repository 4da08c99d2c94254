"""What is known of the subject reaches the last position through a window of layers.

The last token may not attend to the subject in the blocks around one layer. Where that window
holds the blocks that fetch what is known of the subject, the answer is lost; far from it, it is
not. Asked of capitals, of either hop alone and of both together.

Source:  Geva et al. 2023, "Dissecting Recall", arXiv:2304.14767; first and second hop as in Biran
         et al. 2024, "Hopping Too Late", arXiv:2406.12775v2, appendix on attention knockout.
Differs: windows of l - k to l + k blocks with k = 3 of 32, relative to depth; the costliest window
         is chosen on half of the groups and tested on the other, against as many other earlier
         tokens hidden in the same blocks, and against the window farthest from it.
"""

import numpy as np
import pytest

from interp import run, span
from interp.knockout import comparable, half_window, knock_out
from interp.positions import besides
from interp.stats import average, halves, holm, mcnemar, proportion

SOURCE = "attention knockout, arXiv:2304.14767; Hopping Too Late, arXiv:2406.12775v2"
HIDDEN = {
    "subject": span("e1"),
    "other tokens": besides("e1"),
    "as many others": besides("e1", draw=0),
}


@pytest.fixture(params=["capitals", "first hop", "second hop", "both hops"])
def answered(model, request, country_capitals, two_hop, profile):
    """Questions that are answered, each once, and their halves, which tear no group apart."""
    hops, capitals = two_hop.only(split="test"), country_capitals.only(split="test")
    countries = [str(one.labels["country"]) for one in capitals.prompts]
    asked, groups = {
        "capitals": (capitals, countries),
        "first hop": (hops.first_hop, hops.groups),
        "second hop": (hops.second_hop, hops.groups),
        "both hops": (hops, hops.groups),
    }[request.param]
    _, first = np.unique([one.content for one in asked.prompts], return_index=True)
    once = np.isin(np.arange(len(asked)), first)
    kept = once & (once.cumsum() % -(-len(first) // profile.pick(quick=100, full=10_000)) == 0)
    some = asked.where(kept)
    kept[kept] = run(model, some).correct & comparable(model, some, "e1")
    names = [group for group, stays in zip(groups, kept, strict=True) if stays]
    return asked.where(kept, at_least=40), *halves(names, seed=0)


@pytest.mark.finding("knockout.subject-window", version=1, source=SOURCE)
def test_the_subject_reaches_the_last_token_in_a_window(model, answered, measured, drawn):
    prompts, chosen, tested = answered
    found = knock_out(model, prompts, HIDDEN, k=half_window(model))
    drawn("layers", found.chart("as many others"))
    costliest = measured("layer", found.costliest("subject", chosen), unit="layer")
    for name in HIDDEN:
        measured("lost", proportion(found.lost[name][costliest, tested]), hidden=name)
        measured("drop", average(found.drop[name][costliest, tested]), hidden=name, unit="nats")
    lost, far = found.lost["subject"][:, tested], found.farthest(costliest)
    measured("lost_farthest", proportion(lost[far]))
    nulls = [found.lost["as many others"][costliest, tested], lost[far]]
    p = holm([mcnemar(lost[costliest], null).p for null in nulls]).max()
    assert measured("mcnemar_p", float(p), n=int(tested.sum()), unit="p") < 0.01
