"""How strategies are shown: heading, colour, phases, parameters, what is our reading. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpbench.core.plan import StrategyFacts
from gpbench.core.stage import canonical_json
from gpbench_leaderboard.page import ARM_COLOURS, Arm, StrategyCard


def arms(strategies: Sequence[StrategyFacts], baseline: str | None) -> dict[str, Arm]:
    """Return the arms by name, in their order; the first one without a pre-training is grey."""
    found: dict[str, Arm] = {}
    grey_is_free, coloured = True, 0
    for facts in strategies:
        if grey_is_free and not facts.pretrains:
            colour, grey_is_free = 0, False
        else:
            colour, coloured = 1 + coloured % (ARM_COLOURS - 1), coloured + 1
        found[facts.arm] = Arm(facts.arm, facts.title, colour, facts.arm == baseline)
    return found


def strategy_cards(
    strategies: Sequence[StrategyFacts], shown: Mapping[str, Arm]
) -> tuple[StrategyCard, ...]:
    """Return one card per strategy, in their order."""
    return tuple(
        StrategyCard(
            arm=shown[facts.arm],
            phases=facts.chain,
            params=tuple((name, plain(value)) for name, value in facts.plugin.params.items()),
            assumed=facts.assumed,
        )
        for facts in strategies
    )


def plain(value: object) -> str:
    """Return a parameter's JSON value as a person writes it: text without quotes."""
    return value if isinstance(value, str) else canonical_json(value)
