"""What an engine must do: run tokens with resolved edits, decode greedily, unembed.

Requirements for a new backend, all of them checked by `interp.backends.selfcheck` at load:
- values cross this interface as numpy float32, bool or int; padding is the backend's own affair
  and comes back as NaN in captures;
- edits are computed in float32 and cast back once; a capture is the value after the edits;
- every write reports how often it fired and how far it moved the site;
- whatever is installed in the model for a call is gone after it, also when the call raises;
- one call at a time per model: hooks belong to the model, not to the call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
from jaxtyping import Bool, Float

from interp.encoded import Encoded
from interp.prompts import PromptSet
from interp.sites import Site, SiteName

Op = Literal["add", "replace", "project_out", "block"]
LogitsAt = Literal["none", "last", "all"]


@dataclass(frozen=True)
class ThoughtInfo:
    """The tokens around continuous thoughts, and what the checkpoint holds."""

    begin: int
    end: int
    projects: bool
    n_parameters: int


@dataclass(frozen=True)
class ModelInfo:
    """Who a loaded model is and what it can be asked."""

    family: str
    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_vocab: int
    max_length: int
    dtype: str
    quantization: str
    attn_implementation: str
    device: str
    fingerprint: str
    end_ids: frozenset[int] = frozenset()
    refused: Mapping[SiteName, str] = field(default_factory=dict)
    thoughts: ThoughtInfo | None = None
    n_parameters: int = 0  # tied ones once; 0 where they are packed

    @property
    def heads(self) -> Mapping[SiteName, int]:
        """How many heads the sites have that have an axis of heads to edit."""
        return {"z": self.n_heads, "q": self.n_heads, "k": self.n_kv_heads, "v": self.n_kv_heads}


@dataclass(frozen=True, eq=False)
class Keys:
    """What is not attended to: tokens of the prompt, thoughts, and the tokens after them."""

    prompt: Bool[np.ndarray, "batch pos"]
    thoughts: Bool[np.ndarray, "batch thought"]
    generated: Bool[np.ndarray, " batch"]

    def among(self, n_keys: int) -> Bool[np.ndarray, "batch key"]:
        """Which of the first so many positions it is."""
        known = np.concatenate([self.prompt, self.thoughts], axis=1)
        after = max(n_keys - known.shape[1], 0)
        tail = np.repeat(self.generated[:, None], after, axis=1)
        return np.concatenate([known, tail], axis=1)[:, :n_keys]


@dataclass(frozen=True, eq=False)
class Write:
    """An edit resolved for one batch: where it fires is a mask, its dose one number a row.

    `value` has the shape of the site's feature ([d_model]; [head, d_head] at `z`), or that with a
    leading [batch] or [batch, pos]. `generated` says whether it also fires on decoded tokens,
    `thoughts` at which continuous thoughts. With the op "block" it has no value: where it fires,
    `keys` are not attended to.
    """

    site: Site
    op: Op
    value: Float[np.ndarray, "..."]
    alpha: Float[np.ndarray, " batch"]
    mask: Bool[np.ndarray, "batch pos"]
    generated: Bool[np.ndarray, " batch"]
    heads: tuple[int, ...] | None = None
    thoughts: Bool[np.ndarray, "batch thought"] | None = None
    keys: Keys | None = None


@dataclass(frozen=True)
class Fired:
    """What one write did: how many (row, position) values it fired on, and how far it moved them.

    Norms are float32 medians over those values, after rounding to the model's dtype.
    """

    count: int
    delta_norm: float
    site_norm: float


@dataclass(frozen=True, eq=False)
class Forward:
    """What a forward pass gives: logits, captures ([batch, pos, ...]) and one Fired a write.

    Logits are [batch, d_vocab] at the last position, [batch, pos, d_vocab] with NaN at padding, or
    [batch, 0].
    """

    logits: Float[np.ndarray, "..."]
    captured: Mapping[Site, Float[np.ndarray, "batch pos ..."]]
    fired: tuple[Fired, ...]


@dataclass(frozen=True, eq=False)
class Decoded:
    """What greedy decoding gives: new tokens, passes and one Fired a write.

    `passes` counts how many passes fed a token of the row back, those after its end token included
    while its batch went on.
    """

    new_ids: tuple[tuple[int, ...], ...]
    passes: tuple[int, ...]
    fired: tuple[Fired, ...]


class Tokenizes(Protocol):
    """Text to tokens and back."""

    @property
    def bos_id(self) -> int | None:
        """The token that begins a text, where there is one."""
        ...

    @property
    def adds_bos(self) -> bool:
        """Whether it is put before plain text."""
        ...

    @property
    def takes_system(self) -> bool | None:
        """Whether the chat template renders a system line; None where there is no template."""
        ...

    def encode(self, prompts: PromptSet) -> Encoded:
        """The prompts as this model's tokens."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Tokens as text."""
        ...


class Reference(Protocol):
    """The same model without anything of ours around it, one row at a time."""

    def logits(self, ids: Sequence[int]) -> Float[np.ndarray, "pos d_vocab"]:
        """The logits of one row."""
        ...

    def hidden_states(self, ids: Sequence[int]) -> Sequence[Float[np.ndarray, "pos d_model"]]:
        """The stream before each layer, then after the final norm; empty if none is reported."""
        ...

    def generate(self, ids: Sequence[int], max_new_tokens: int) -> tuple[int, ...]:
        """The engine's own greedy decoding."""
        ...

    def unembedding(self, tokens: Sequence[int]) -> Float[np.ndarray, "n d_model"]:
        """The rows of the head that belong to some tokens, dequantised."""
        ...


class Backend(Protocol):
    """One loaded model on one engine."""

    @classmethod
    def load(
        cls, folder: Path, *, dtype: str, device: str | None, attn_implementation: str | None
    ) -> Self:
        """Load a checkpoint folder; nothing is verified beyond its files, keys and weights."""
        ...

    @property
    def info(self) -> ModelInfo:
        """Who this model is."""
        ...

    @property
    def tokenizer(self) -> Tokenizes:
        """This model's tokenizer."""
        ...

    def refuse(self, sites: Mapping[SiteName, str]) -> None:
        """Remember why these sites must not be used on this model."""
        ...

    def forward(
        self,
        ids: Sequence[Sequence[int]],
        writes: Sequence[Write] = (),
        *,
        capture: Sequence[Site] = (),
        logits: LogitsAt = "last",
    ) -> Forward:
        """One pass over a batch of rows of any lengths."""
        ...

    def generate(
        self, ids: Sequence[Sequence[int]], writes: Sequence[Write] = (), *, max_new_tokens: int
    ) -> Decoded:
        """Greedy decoding with the writes in force, until each row's end token or the limit."""
        ...

    def unembed(self, hidden: Float[np.ndarray, "n d_model"]) -> Float[np.ndarray, "n d_vocab"]:
        """The logits of residual-stream vectors: the model's own final norm and head."""
        ...

    @property
    def reference(self) -> Reference:
        """The model as its engine runs it by itself."""
        ...

    def head_weights(self, layer: int) -> Float[np.ndarray, "head d_head d_model"]:
        """The output projection of attention, one matrix a head, dequantised."""
        ...

    def close(self) -> None:
        """Drop the weights; any later call raises."""
        ...
