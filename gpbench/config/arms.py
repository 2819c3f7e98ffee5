"""Arms: strategies and chains of them, with typed parameters, and their canonical texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from gpbench import registry
from gpbench.api import Phase, Role, Strategy
from gpbench.core.errors import ConfigError, ContractError, InvalidValueError
from gpbench.core.params import chosen_params, parse_params, plain_params, required_params
from gpbench.core.recipe import Inflate
from gpbench.core.selector import Selector, SelectorPart, parse_selector
from gpbench.core.stage import PluginSpec

SHARE = "share"
"""In a chain: a strategy's part of the budget, where it has no such parameter of its own."""
INFLATE = "inflate"
"""The transfer parameter: how the stem is brought to other bands when the weights move on."""
CHANNELS = ("rgb", "target")
ROLES = get_args(Role)


@dataclass(frozen=True)
class ArmPart:
    """One strategy of an arm with its parameters."""

    name: str
    strategy: Strategy
    params: Any
    share: float | None
    """Of the arm's budget, as given in the selector; None: an equal part of what is left."""
    phases: tuple[Phase, ...]

    @property
    def inflate(self) -> Inflate:
        """Return how a stem that this strategy trained is brought to other bands."""
        how: Inflate = getattr(self.params, INFLATE, "repeat")
        return how

    def spec(self) -> PluginSpec:
        """Return what of the strategy enters the keys of its pre-trainings."""
        params = plain_params(self.params, without=[INFLATE])
        return PluginSpec(self.name, self.strategy.version, params)

    def described(self) -> PluginSpec:
        """Return the strategy with all its parameters, for reports."""
        return PluginSpec(self.name, self.strategy.version, plain_params(self.params))

    def selector(self) -> SelectorPart:
        """Return the part as it is written canonically: only what differs from the defaults."""
        chosen = chosen_params(self.params)
        if self.share is not None:
            chosen[SHARE] = f"{self.share:g}"
        return SelectorPart(self.name, chosen)


@dataclass(frozen=True)
class Arm:
    """A strategy, or a chain of them."""

    parts: tuple[ArmPart, ...]

    def __str__(self) -> str:
        return str(Selector(tuple(part.selector() for part in self.parts)))


def parse_arm(text: str, folder: Path | None = None) -> Arm:
    """Return the arm that a selector names; `str` of it is the canonical text.

    Raises:
        UnknownNameError: If a strategy or a parameter does not exist.
        ConfigError: If a parameter is wrong, or strategies cannot be chained.
        PluginError: If a strategy cannot be loaded.
    """
    selector = parse_selector(text)
    chained = len(selector.parts) > 1
    parts = tuple(_part(part, folder, chained=chained) for part in selector.parts)
    for part in parts:
        if chained and not part.phases:
            raise ConfigError(
                f"'{part.name}' has no pre-training and cannot be chained: leave it out of '{text}'"
            )
    given = sum(part.share or 0 for part in parts)
    everywhere = all(part.share is not None for part in parts)
    if chained and (given >= 1 if not everywhere else abs(given - 1) > 1e-9):
        raise ConfigError(
            f"the shares in '{text}' add up to {given:g}: "
            "they are parts of one budget; leave one out, it gets the rest"
        )
    return Arm(parts)


def is_free_of_choice(name: str) -> bool:
    """Return whether a strategy has no required parameter: `all` brings it in."""
    return not required_params(registry.load("strategies", name).params)


def _part(part: SelectorPart, folder: Path | None, *, chained: bool) -> ArmPart:
    strategy = registry.load("strategies", part.name)
    texts = dict(part.params)
    own = {field.name for field in dataclasses.fields(strategy.params)}
    share = texts.pop(SHARE, None) if chained and SHARE not in own else None
    params = parse_params(strategy.params, texts, part.name, folder)
    phases = tuple(strategy.phases(params))
    _check_phases(part.name, strategy, phases)
    return ArmPart(part.name, strategy, params, _share(share, part.name), phases)


def _check_phases(name: str, strategy: Strategy, phases: Sequence[Phase]) -> None:
    """Check what planning relies on.

    Raises:
        ContractError: If a strategy breaks it.
    """
    if strategy.channels not in CHANNELS:
        raise ContractError(name, f"channels is one of {CHANNELS}, not {strategy.channels!r}")
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise ContractError(name, f"each phase has a name of its own, not {names}")
    for phase in phases:
        if not phase.roles or not set(phase.roles) <= set(ROLES):
            raise ContractError(name, f"a phase reads roles of {ROLES}, not {phase.roles}")
        if not phase.share > 0:
            raise ContractError(name, f"a phase's share is more than 0, not {phase.share}")


def _share(text: str | None, name: str) -> float | None:
    if text is None:
        return None
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise InvalidValueError(f"{name}[{SHARE}]", text, "between 0 and 1")
    return share
