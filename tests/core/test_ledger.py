"""The ledger tells whoever watches what runs did, and nobody else."""

import numpy as np

from interp import generate, logit_lens, resid_post, run, steer
from interp.ledger import Watch, watching
from interp.prompts import Prompt, PromptSet

PROMPTS = PromptSet("one", (Prompt(text="The capital of France is", answers=("Paris",)),))
PUSH = steer(resid_post(1), np.ones(32, np.float32))


def test_a_watch_sees_edits_reads_and_verbs(llama):
    with watching(Watch()) as watch:
        run(llama, PROMPTS, PUSH, capture=[resid_post(2)])
        generate(llama, PROMPTS, max_new_tokens=1)
        logit_lens(llama, PROMPTS)
    assert [entry.site for entry in watch.entries] == ["resid_post(1)"]
    assert watch.verbs == {"run", "steer", "generate", "unembed"}
    assert {"resid_post", "embed"} <= watch.reads


def test_nobody_watching_and_a_watch_within(llama):
    with watching(Watch()) as outer:
        with watching(Watch()) as inner:
            run(llama, PROMPTS, PUSH)
        run(llama, PROMPTS)
    run(llama, PROMPTS, PUSH)
    assert len(inner.entries) == 1
    assert outer.entries == []
    assert outer.verbs == {"run"}
