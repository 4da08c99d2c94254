"""Random-weight Llama shapes, and prompts of chosen lengths: time does not depend on values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoModelForCausalLM

from interp.backends.torch_twins import write_twin
from interp.models import Model, load
from interp.prompts import Prompt, PromptSet
from interp.registry import ModelSpec

WORDS = ("The", "capital", "of", "France", "is", "Paris", "hot", "cold", "big", "How", "do", "that")
MARK = "antonym"  # the word at the place
PLACES = {"four": 4, "nine": 9, "middle": 0.5}  # words before the last one, or a share of all
FIXED = {"num_hidden_layers": 16, "head_dim": 32, "max_position_embeddings": 512}
SHAPES: dict[str, dict[str, object]] = {
    "mini": {
        **FIXED, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 8,
        "num_key_value_heads": 2, "vocab_size": 8192,
    },
    "small": {
        **FIXED, "hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 16,
        "num_key_value_heads": 4, "vocab_size": 32000,
    },
    "1b": {  # that of Llama-3.2-1B
        **FIXED, "head_dim": 64, "hidden_size": 2048, "intermediate_size": 8192,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256,
        "tie_word_embeddings": True,
    },
    "tiny": {"max_position_embeddings": 512},
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Bench:
    """A shape twice: loaded by us, and as transformers itself loads it."""

    name: str
    ours: Model
    plain: Any

    @property
    def flops_a_token(self) -> float:
        """Of one layer, projections and MLP; attention to other tokens aside."""
        c = self.plain.config
        wide = c.num_attention_heads * c.head_dim
        narrow = 2 * c.num_key_value_heads * c.head_dim
        attention = c.hidden_size * (2 * wide + narrow)
        return 2.0 * (attention + 3 * c.hidden_size * c.intermediate_size)

    @property
    def flops_a_head(self) -> float:
        """Of one row of the unembedding."""
        return 2.0 * self.plain.config.hidden_size * self.plain.config.vocab_size

    def texts(self, *kinds: PromptSet) -> dict[str, Any]:
        """The prompts of some sets as peers are given them: texts, and tokens."""
        return {
            "texts": [prompt.content for kind in kinds for prompt in kind.prompts],
            "ids": [list(ids) for kind in kinds for ids in self.ours.encode(kind).ids],
        }


def bench(name: str, folder: Path) -> Bench:
    """A shape, written where it is not there yet."""
    there = folder / name
    if not there.exists():
        write_twin("llama", there, SHAPES[name])
    ours = load(ModelSpec(name, str(there), is_local=True), device="cpu")
    return Bench(name, ours, AutoModelForCausalLM.from_pretrained(there).eval())


def prompts(
    count: int, shortest: int, longest: int, *, seed: int = 0, marked: str | None = None
) -> PromptSet:
    """Texts of so many words, nearly one token each; one of the `PLACES` is a span where named."""
    rng = np.random.default_rng(seed)
    made = tuple(_prompt(rng, shortest, longest, marked) for _ in range(count))
    return PromptSet(f"bench-{seed}", made)


def _prompt(rng: np.random.Generator, shortest: int, longest: int, marked: str | None) -> Prompt:
    words = list(rng.choice(WORDS, int(rng.integers(shortest, longest + 1))))
    if marked is None:
        return Prompt(text=" ".join(words), answers=("Paris",))
    words[-1 - int(PLACES[marked] * (len(words) - 1 if PLACES[marked] < 1 else 1))] = MARK
    return Prompt(text=" ".join(words), answers=("Paris",), spans={marked: MARK})
