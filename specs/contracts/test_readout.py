"""The lens of the last residual stream is the model's own logits.

Final norm, head, softcap and logit scaling are the model's; a lens that leaves one of them out
still looks like a lens. The bite: the stream one block earlier reads out as something else.

Source: contract of `interp.logit_lens`; nostalgebraist 2020, "interpreting GPT: the logit lens".
"""

import numpy as np
import pytest

from interp import relative_error, resid_post, rounding, run

pytestmark = [pytest.mark.contract("unembed")]


def test_the_last_stream_reads_out_as_the_logits(model, mixed_lengths):
    last = resid_post(model.layer("last"))
    plain = run(model, mixed_lengths, capture=[last])
    readout = model.backend.unembed(plain[last, "last"])
    assert relative_error(readout, plain.next_logits) < rounding(model)


def test_an_earlier_stream_reads_out_as_something_else(model, mixed_lengths):
    earlier = resid_post(model.layer("last") - 1)
    plain = run(model, mixed_lengths, capture=[earlier])
    readout = model.backend.unembed(plain[earlier, "last"])
    assert relative_error(readout, plain.next_logits) > 2 * rounding(model)
    assert np.isfinite(readout).all()
