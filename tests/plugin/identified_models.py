"""The conftest of a project under test: models that say which weights they have, and where."""

from types import SimpleNamespace

KNOWN = {
    "backend": "torch",
    "device": "cpu",
    "dtype": "float32",
    "quantization": "",
    "weights_digest": "w",
}


def pytest_interp_load_model(spec):
    identity = {"id": spec.id, **KNOWN}
    return SimpleNamespace(spec=spec, identity=lambda: identity, close=lambda: None)
