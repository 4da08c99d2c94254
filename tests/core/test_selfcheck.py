"""The load-time check passes a right backend and catches a wrong one, bug by bug.

Each planted bug is a small change of the real backend; each of them has shipped somewhere as
interpretability code. A check that none of them trips would be worth nothing.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp.backends import arithmetic, record, torch_hooks
from interp.backends.protocol import Write
from interp.backends.selfcheck import self_check
from interp.backends.torch import TorchBackend
from interp.backends.torch_layout import Block
from interp.errors import DataError
from interp.sites import Site


@pytest.fixture
def load_backend(folder_of):
    def load(family="llama", kind=TorchBackend):
        how = {"dtype": "float32", "device": "cpu", "attn_implementation": None}
        return kind.load(folder_of(family), **how)

    return load


def test_a_right_backend_passes(load_backend):
    assert set(self_check(load_backend())) == {"pattern"}


def test_hooks_that_do_nothing(load_backend, monkeypatch):
    right = arithmetic.apply
    monkeypatch.setattr(arithmetic, "apply", lambda x, *rest: right(x, *rest) * 0 + x)
    with pytest.raises(DataError, match=r"does not reach|interchange"):
        self_check(load_backend())


def test_only_row_zero_is_edited(load_backend, monkeypatch):
    right = arithmetic.apply

    def first_row(x, write, mask, constant):
        mask = mask * (np.arange(len(mask)) == 0)[:, None]
        return right(x, write, mask.astype(np.float32), constant)

    monkeypatch.setattr(arithmetic, "apply", first_row)
    with pytest.raises(DataError, match=r"does not reach its|does not reach the logits"):
        self_check(load_backend())


def test_a_position_off_by_one(load_backend, monkeypatch):
    right = arithmetic.apply
    shifted = lambda x, write, mask, constant: right(x, write, np.roll(mask, -1, 1), constant)  # noqa: E731
    monkeypatch.setattr(arithmetic, "apply", shifted)
    with pytest.raises(DataError, match=r"reaches a row or a position|interchange"):
        self_check(load_backend())


def test_alpha_is_ignored(load_backend, monkeypatch):
    right = arithmetic.apply

    def full_dose(x, write, mask, constant):
        return right(x, replace(write, alpha=np.ones_like(write.alpha)), mask, constant)

    monkeypatch.setattr(arithmetic, "apply", full_dose)
    with pytest.raises(DataError, match="that it does not name"):
        self_check(load_backend())


def test_a_layer_off_by_one(load_backend):
    backend = load_backend()
    blocks = backend._hooked.blocks
    backend._hooked.blocks = (blocks[1], blocks[0], *blocks[2:])
    with pytest.raises(DataError, match="resid_p"):
        self_check(backend)


def test_no_final_norm(load_backend, monkeypatch):
    backend = load_backend()
    monkeypatch.setattr(
        backend, "unembed", lambda h: h @ backend._model.lm_head.weight.T.numpy(force=True)
    )
    with pytest.raises(DataError, match="unembedded"):
        self_check(backend)


def test_a_head_without_the_softcap(load_backend, monkeypatch):
    backend = load_backend("gemma2")
    plain = backend._model.lm_head.weight.T.numpy(force=True)

    def bare(hidden):
        return backend._hooked.norm(torch.tensor(hidden)).numpy(force=True) @ plain

    monkeypatch.setattr(backend, "unembed", bare)
    with pytest.raises(DataError, match="unembedded"):
        self_check(backend)


def test_raw_attention_where_a_norm_follows(load_backend):
    backend = load_backend("gemma2")
    backend._hooked.blocks = tuple(
        replace(block, adds_attention=block.attention) for block in backend._hooked.blocks
    )
    assert "as a sum" in self_check(backend)["attn_out"]


def test_heads_and_dimensions_swapped(load_backend, monkeypatch):
    right = torch_hooks._shaped

    def swapped(name, tap, heads):
        if name != "z":
            return right(name, tap, heads)
        turn = {**heads, "z": 8}  # the width of a head here
        return right(name, lambda value: tap(value.transpose(2, 3)).transpose(2, 3), turn)

    monkeypatch.setattr(torch_hooks, "_shaped", swapped)
    assert "heads" in self_check(load_backend())["z"]


def test_tokens_that_share_an_embedding_are_no_evidence_against_a_model(load_backend):
    """As those that training never saw do; by rounding alone their heads look wrong."""
    backend = load_backend()
    rng = np.random.default_rng(0)
    ids = [int(i) for i in rng.integers(3, min(500, backend.info.d_vocab), 11)]
    with torch.no_grad():
        weight = backend._model.get_input_embeddings().weight
        for one, other in zip(ids[2:6:2], ids[3:6:2], strict=True):
            weight[one] = weight[other] * (1 + 1e-6)
    assert set(self_check(backend)) == {"pattern"}


def test_key_value_heads_taken_for_heads(load_backend):
    backend = load_backend()
    backend.info = replace(backend.info, n_heads=backend.info.n_kv_heads, d_head=16)
    assert "z" in self_check(backend)


def test_modules_that_hide_from_hooks(load_backend, monkeypatch):
    """As those of a model that was compiled before the hooks were there."""
    monkeypatch.setattr(Block, "installers", lambda *_: iter(()))
    with pytest.raises(DataError, match=r"never reached|did not fire|was never"):
        self_check(load_backend())


def test_a_hook_that_stays_behind(load_backend, monkeypatch):
    backend = load_backend()
    real = backend.forward

    def leaking(ids, writes=(), **how):
        if writes:
            backend._hooked.blocks[0].layer.register_forward_hook(lambda _m, _a, out: out + 0.5)
        return real(ids, writes, **how)

    monkeypatch.setattr(backend, "forward", leaking)
    with pytest.raises(DataError):
        self_check(backend)


def test_a_slow_check_is_recorded_and_a_torn_record_is_none(load_backend, monkeypatch):
    monkeypatch.setattr(record, "SLOW", 0.0)
    backend = record.verified(load_backend())
    path = record.user_cache_path("interp") / "selfcheck" / f"{record._key(backend)}.json"
    assert "pattern" in record._read(path)
    monkeypatch.setattr(record, "self_check", lambda _: pytest.fail("checked again"))
    assert "pattern" in record.verified(load_backend()).info.refused
    path.write_text('{"patt')
    assert record._read(path) is None


def test_the_record_depends_on_the_weights_and_the_dtype(load_backend):
    backend = load_backend()
    keys = {record._key(backend)}
    for change in ({"fingerprint": "0" * 64}, {"dtype": "bfloat16"}, {"device": "cuda:0"}):
        backend.info = replace(backend.info, **change)
        keys.add(record._key(backend))
    assert len(keys) == 4


def test_a_call_that_fails_leaves_the_model_as_it_was(load_backend, monkeypatch):
    backend = load_backend()
    plain = backend.forward([[3, 4, 5]]).logits
    before = installed(backend)
    everywhere = np.ones((1, 3), dtype=bool)
    vector, one = np.ones(backend.info.d_model, np.float32), np.ones(1, np.float32)
    write = Write(Site("resid_post", 1), "add", vector, one, everywhere, np.zeros(1, dtype=bool))
    assert (backend.forward([[3, 4, 5]], [write]).logits != plain).any()
    monkeypatch.setattr(arithmetic, "apply", lambda *_: {}["planted"])
    with pytest.raises(KeyError, match="planted"):
        backend.forward([[3, 4, 5]], [write])
    assert installed(backend) == before == 0
    assert (backend.forward([[3, 4, 5]]).logits == plain).all()


def installed(backend):
    """How many hooks and replaced forwards there are in a model."""
    modules = list(backend._model.modules())
    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)
    return hooks + sum("forward" in vars(module) for module in modules)
