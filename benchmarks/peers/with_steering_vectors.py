"""steering-vectors as its documentation has it: training on pairs of texts, and `apply`."""

from typing import Any

import numpy as np
import torch
from common import left_padded
from job import Job
from steering_vectors import SteeringVector, train_steering_vector
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast


def load(folder: str) -> tuple[Any, Any]:
    """The model and its tokenizer."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, padding_side="left")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    return AutoModelForCausalLM.from_pretrained(folder), tokenizer


@torch.no_grad()
def steering(loaded: tuple[Any, Any], job: Job) -> np.ndarray:
    """All prompts in a batch, a layer and dose at a time; it cannot spare the prompt."""
    if not job.everywhere:
        raise NotImplementedError("positions are counted anew in every decoded step")
    rows, real = left_padded(job.ids)
    limits = {"max_new_tokens": job.new, "min_new_tokens": job.new, "do_sample": False}
    found = []
    for layer, dose in job.cells:
        vector = SteeringVector({int(layer): torch.from_numpy(job.values)}, "decoder_block")
        with vector.apply(loaded[0], multiplier=dose):
            out = loaded[0].generate(rows, attention_mask=real, pad_token_id=0, **limits)
        found.append(out[:, rows.shape[1] :].numpy())
    return np.stack(found)


def differences(loaded: tuple[Any, Any], job: Job) -> np.ndarray:
    """A pair at a time, which is faster on a CPU than padded batches."""
    half = len(job.texts) // 2
    pairs = list(zip(job.texts[:half], job.texts[half:], strict=True))
    trained = train_steering_vector(*loaded, pairs, batch_size=1, show_progress=False)
    layers = sorted(trained.layer_activations)
    return torch.stack([trained.layer_activations[layer] for layer in layers]).float().numpy()


WORK = {"steering": steering, "differences": differences}
