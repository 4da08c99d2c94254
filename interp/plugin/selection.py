"""Which models a session runs on, decided once, before anything is collected."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from operator import not_
from typing import Final

from interp.backends.installed import INSTALL, THINKERS, to_install
from interp.errors import RequestError, closest
from interp.plugin.options import Options
from interp.registry import (
    ModelSpec,
    Registry,
    load_registry,
    named,
    resolve,
    stands_for,
    words,
)
from interp.sources import Availability, availability

THOUGHTS: Final = "thoughts"
# What specs of the library itself ask for: a registry without such a model is no mistake.
KINDS: Final = frozenset({f"tag:{THOUGHTS}"})
ON_TORCH: Final = "--backend torch"


@dataclass(frozen=True)
class Candidate:
    """A model that specs are collected for, and whether its files are here."""

    spec: ModelSpec
    here: Availability

    @property
    def reason(self) -> str:
        """Why it cannot be loaded, with the command that helps."""
        return f"{self.here.reason}; {self.here.fetch}" if self.here.fetch else self.here.reason

    @property
    def lacks_engine(self) -> bool:
        """Whether it is only the backend that is not here."""
        return self.here.fetch in INSTALL.values()

    @property
    def needs_another(self) -> bool:
        """Whether its files are here and only another backend runs such a model."""
        return self.here.fetch == ON_TORCH


@dataclass(frozen=True)
class Selection:
    """The models of a session in order, and the entries of the registry that are not here."""

    registry: Registry
    chosen: tuple[Candidate, ...] = ()
    absent: tuple[Candidate, ...] = ()

    def on(self, patterns: Sequence[str], *, of_language: bool = False) -> list[Candidate]:
        """The chosen models that one of the patterns stands for; all of them without patterns.

        What is `of_language`, findings and calibrations, is without patterns about models that
        answer at once, not after thoughts.

        Raises:
            RequestError: a pattern stands for no model that is known at all.
        """
        for pattern in patterns:
            known = any(stands_for(pattern, one.spec) for one in self.chosen)
            if pattern not in KINDS and not known and not named(self.registry, pattern):
                raise RequestError(
                    "no model has this name",
                    asked=f"on({pattern!r})",
                    expected="an id, a glob over ids or tag:NAME",
                    received=repr(pattern),
                    hint=closest(pattern, words(self.registry)),
                )
        return [
            one
            for one in self.chosen
            if any(stands_for(pattern, one.spec) for pattern in patterns)
            or not (patterns or (of_language and THOUGHTS in one.spec.tags))
        ]


def select(options: Options) -> Selection:
    """The models that were asked for, else those of the registry that are here.

    Raises:
        RequestError: a model was asked for that nothing is known of.
        DataError: the registry is not what it must be.
    """
    there = options.registry.is_file()
    registry = load_registry(options.registry) if there else Registry(None, {})
    if not options.models:
        found = [_candidate(spec, options) for spec in registry.specs.values()]
        chosen = [one.here.present or (one.lacks_engine and bool(options.backend)) for one in found]
        return Selection(
            registry, tuple(compress(found, chosen)), tuple(compress(found, map(not_, chosen)))
        )
    try:
        asked = resolve(registry, options.models)
    except RequestError as error:
        raise error.during(f"--model {','.join(options.models)}") from None
    return Selection(registry, tuple(_candidate(spec, options) for spec in asked))


def _candidate(spec: ModelSpec, options: Options) -> Candidate:
    wanted = spec.on(options.backend)
    here = availability(wanted)
    if options.models and options.allow_download and not wanted.is_local:
        here = Availability(present=True)
    command = to_install(wanted.backend) if here.present and wanted.backend != "torch" else ""
    if here.present and wanted.backend not in THINKERS and (spec.base or THOUGHTS in spec.tags):
        here = Availability(
            False, f"the {wanted.backend} backend has no continuous thoughts", ON_TORCH
        )
    elif command:
        here = Availability(False, f"the {wanted.backend} backend is not installed", command)
    return Candidate(wanted, here)
