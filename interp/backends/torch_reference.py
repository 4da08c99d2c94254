"""The model as transformers itself runs it, one unpadded row at a time: what we compare with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float


class TorchReference:
    """An independent reading of a model: none of our padding, hooks or decoding is in it."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def logits(self, ids: Sequence[int]) -> Float[np.ndarray, "pos d_vocab"]:
        """The logits of one row at every position."""
        with torch.no_grad():
            return self._numpy(self._model(input_ids=self._row(ids), use_cache=False).logits[0])

    def hidden_states(self, ids: Sequence[int]) -> tuple[Float[np.ndarray, "pos d_model"], ...]:
        """What `output_hidden_states` says: the stream before each layer, then the final norm's.

        It is right while nothing is edited, which is all we ask of it.
        """
        with torch.no_grad():
            out = self._model(input_ids=self._row(ids), use_cache=False, output_hidden_states=True)
        return tuple(self._numpy(state[0]) for state in out.hidden_states)

    def generate(self, ids: Sequence[int], max_new_tokens: int) -> tuple[int, ...]:
        """Transformers' own greedy decoding of one row, its end token included."""
        given = self._row(ids)
        with torch.no_grad():
            out = self._model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=max_new_tokens,
                do_sample=False,
            )
        return tuple(int(token) for token in out[0, len(ids) :])

    def unembedding(self, tokens: Sequence[int]) -> Float[np.ndarray, "n d_model"]:
        """The rows of the head that belong to some tokens."""
        return self._numpy(self._model.get_output_embeddings().weight[list(tokens)])

    def _row(self, ids: Sequence[int]) -> torch.Tensor:
        return torch.tensor([list(ids)], device=self._model.device)

    @staticmethod
    def _numpy(value: torch.Tensor) -> Float[np.ndarray, "..."]:
        return np.asarray(value.detach().float().cpu().numpy())
