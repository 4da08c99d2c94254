"""Bugs of decoding: caches, ends, phases, and comparing two ways of decoding."""

from dataclasses import replace
from typing import Any

from interp.mutants.hooks import APPLY
from interp.mutants.planting import Mutant, both, replaced

GENERATE = "interp.backends.torch:TorchBackend.generate"


def into_decoding(right: Any) -> Any:
    """Let an edit of the prompt go on while tokens are generated."""

    def write(*given: Any) -> Any:
        done = right(*given)
        return replace(done, generated=done.mask.any(axis=1))

    return write


def not_under_cache(right: Any) -> Any:
    """Edit nothing in a pass over one token, which under a cache is every pass but the first."""
    return lambda x, *rest: x if x.shape[1] == 1 else right(x, *rest)


def prompt_only(right: Any) -> Any:
    """Let every edit end with the prompt."""

    def write(*given: Any) -> Any:
        done = right(*given)
        return replace(done, generated=done.generated & False)

    return write


def other_decoder(right: Any) -> Any:
    """Decode what is not edited by another function, with its own settings."""

    def generate(self: Any, ids: Any, writes: Any = (), *, max_new_tokens: int) -> Any:
        out = right(self, ids, writes, max_new_tokens=max_new_tokens)
        if writes:
            return out
        rows = [_penalised(self, row, max_new_tokens) for row in ids]
        return replace(out, new_ids=tuple(rows))

    return generate


def _penalised(backend: Any, row: Any, limit: int) -> tuple[int, ...]:
    given, _ = backend._padded([row])  # noqa: SLF001  as the engine does
    out = backend._model.generate(  # noqa: SLF001  likewise
        given,
        attention_mask=given * 0 + 1,
        max_new_tokens=limit,
        do_sample=False,
        repetition_penalty=1.5,
    )
    return tuple(out[0, len(row) :].tolist())


def sampled(right: Any) -> Any:
    """Sample: the likeliest after Gumbel noise is a draw from the softmax."""

    def greedy(model: Any, ids: Any, **how: Any) -> Any:
        def noisy(**asked: Any) -> Any:
            out = model(**asked)
            uniform = out.logits.clone().uniform_(1e-6, 1 - 1e-6)
            out.logits = out.logits - (-uniform.log()).log()
            return out

        return right(noisy, ids, **how)

    return greedy


def endless(right: Any) -> Any:
    """Know no end token."""
    return lambda *given: replace(right(*given), end_ids=frozenset())


def none(_right: Any) -> Any:
    """No token of that kind."""
    return lambda _self: frozenset()


def together(_right: Any) -> Any:
    """Decode rows of all lengths in one padded batch."""

    def generate(self: Any, ids: Any, writes: Any = (), *, max_new_tokens: int) -> Any:
        return self._generate_even(ids, writes, max_new_tokens)

    return generate


MUTANTS = (
    Mutant(
        "hook-leaks-into-decoding",
        "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20",
        replaced("interp.resolve:write", into_decoding),
    ),
    Mutant("edit-missing-under-a-cache", "pyreft #110", replaced(APPLY, not_under_cache)),
    Mutant(
        "edit-ends-with-the-prompt", "pyreft #105", replaced("interp.resolve:write", prompt_only)
    ),
    Mutant(
        "two-decoders",
        "GPT-2 Activation Steering Experiment, 2025-10-21",
        replaced(GENERATE, other_decoder),
    ),
    Mutant(
        "greedy-replaced-by-sampling",
        "generation_config.json with do_sample",
        replaced("interp.backends.torch:greedy", sampled),
    ),
    Mutant(
        "end-token-ignored",
        "LLaMA vs GPT-2 Activation Patching Comparison, 2025-10-20",
        both(
            replaced("interp.backends.torch_loading:describe", endless),
            replaced(
                "interp.backends.tokenizer:Tokenizer.end_ids", lambda _: lambda _self: frozenset()
            ),
        ),
    ),
    Mutant(
        "tokens-after-the-end-are-kept",
        "transformers #29419, batched generate",
        replaced("interp.backends.batching:until", lambda _: lambda ids, _end: tuple(ids)),
    ),
    Mutant(
        "rows-of-any-length-decoded-together",
        "TransformerLens #1005",
        replaced(GENERATE, together),
    ),
)
