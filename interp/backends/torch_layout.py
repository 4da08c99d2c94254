"""Where transformers keeps its modules, and how a hook reaches the value that flows through them.

Modules are found by the names that transformers gives them; whether a site is what its name says
is then verified by number at load.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from interp.backends.between import Between
from interp.errors import DataError
from interp.sites import SiteName

LAYERS = ("layers", "h")
FINAL_NORM = ("norm", "ln_f", "final_layer_norm", "final_layernorm")
ATTENTION = ("self_attn", "attn", "attention")
MLP = ("mlp", "feed_forward", "ffn", "block_sparse_moe")
OUT_PROJ = ("o_proj", "c_proj", "dense", "out_proj")
POST_NORMS = ("post_attention_layernorm", "post_feedforward_layernorm")

Tap = Callable[[Tensor], Tensor]
Install = Callable[[], RemovableHandle]


@dataclass(frozen=True)
class Block:
    """The modules of one decoder layer at which sites are taken.

    In sandwich-norm families (Gemma 2 and 3, OLMo 2) what is added to the residual stream is the
    output of a norm after attention or MLP, not theirs.
    """

    layer: nn.Module
    attention: nn.Module
    out_proj: nn.Module
    adds_attention: nn.Module
    adds_mlp: nn.Module

    def installers(self, name: SiteName, tap: Tap) -> Iterator[Install]:
        """What must be installed for `tap` to see, and set, the site of that name."""
        if name in ("embed", "resid_pre"):
            yield partial(on_input, self.layer, tap)
        elif name == "resid_mid":
            between = Between(tap)
            yield partial(on_input, self.layer, between.before)
            yield partial(on_output, self.adds_attention, between.added)
        elif name == "z":
            yield partial(on_input, self.out_proj, tap)
        elif name == "pattern":
            yield partial(on_output, self.attention, tap, place=1)
        else:
            yield partial(on_output, self.writer(name), tap)

    def writer(self, name: SiteName) -> nn.Module:
        """The module whose output is the site of that name."""
        if name in ("q", "k", "v"):
            return child(self.attention, (f"{name}_proj",))
        writers = {
            "attn_out": self.adds_attention,
            "mlp_out": self.adds_mlp,
            "resid_post": self.layer,
        }
        return writers[name]


def decoder_of(model: Any) -> nn.Module:
    """The part of a causal language model that holds the layers.

    In transformers 4, `get_decoder()` of GPT-2 and `base_model` of Gemma 3 are the whole model.

    Raises:
        DataError: neither holds layers.
    """
    for candidate in (model.get_decoder(), model.base_model):
        if any(hasattr(candidate, name) for name in LAYERS):
            found: nn.Module = candidate
            return found
    raise DataError(
        "this model family is not known",
        expected=f"a decoder with {' or '.join(LAYERS)}",
        where=type(model).__name__,
    )


def blocks(decoder: nn.Module) -> tuple[Block, ...]:
    """The layers of a decoder.

    Raises:
        DataError: a module that every causal language model has is not where it is expected.
    """
    layers: Any = child(decoder, LAYERS)
    return tuple(_block(layer) for layer in layers)


def _block(layer: nn.Module) -> Block:
    attention, mlp = child(layer, ATTENTION), child(layer, MLP)
    sandwich = all(hasattr(layer, name) for name in POST_NORMS)
    after = [getattr(layer, name) for name in POST_NORMS] if sandwich else [attention, mlp]
    return Block(layer, attention, child(attention, OUT_PROJ), *after)


def child(module: nn.Module, names: Sequence[str]) -> nn.Module:
    """The first of these children that the module has.

    Raises:
        DataError: it has none of them.
    """
    for name in names:
        found = getattr(module, name, None)
        if isinstance(found, nn.Module):
            return found
    raise DataError(
        "this model family is not known",
        expected=f"a module named {', '.join(names)}",
        received=", ".join(name for name, _ in module.named_children()),
        where=type(module).__name__,
    )


def on_input(module: nn.Module, tap: Tap) -> RemovableHandle:
    """Let `tap` see and set a module's first input, however it is passed."""

    def hook(
        _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (tap(args[0]), *args[1:]), kwargs
        name = "hidden_states" if "hidden_states" in kwargs else next(iter(kwargs))
        return args, {**kwargs, name: tap(kwargs[name])}

    return module.register_forward_pre_hook(hook, with_kwargs=True)


def on_output(module: nn.Module, tap: Tap, *, place: int = 0) -> RemovableHandle:
    """Let `tap` see and set a module's output, or one place of it where it is a tuple.

    `output[0]` of a tensor would be row 0 of the batch: the two kinds are told apart here, once.
    """

    def hook(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        if isinstance(output, tuple):
            return (*output[:place], tap(output[place]), *output[place + 1 :])
        return tap(output)

    return module.register_forward_hook(hook)


@contextmanager
def painted(block: Block, taps: Iterable[tuple[SiteName, Tap]]) -> Iterator[None]:
    """Taps at sites of a layer in force, in the order given at each module."""
    with ExitStack() as stack:
        for name, tap in taps:
            for install in block.installers(name, tap):
                stack.callback(install().remove)
        yield


@contextmanager
def skipped(layers: Sequence[nn.Module], *, returns_tuple: bool) -> Iterator[None]:
    """The layers as identities: the model's own code around them runs as ever."""
    saved = [layer.__dict__.get("forward") for layer in layers]

    def identity(hidden_states: Tensor, *_args: Any, **_kwargs: Any) -> Any:
        return (hidden_states,) if returns_tuple else hidden_states

    try:
        for layer in layers:
            layer.forward = identity
        yield
    finally:
        for layer, forward in reversed(list(zip(layers, saved, strict=True))):
            if forward is None:
                layer.__dict__.pop("forward", None)
            else:
                layer.forward = forward
