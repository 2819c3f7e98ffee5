"""What reports show of an arm, so that they need not import its plugins."""

from __future__ import annotations

from gpbench.config.arms import Arm
from gpbench.core.plan import StrategyFacts
from gpbench.core.stage import PluginSpec


def strategy_facts(arm: Arm) -> StrategyFacts:
    """Return the facts of an arm.

    A chain is shown as one plugin: names joined by `+`, the highest version, parameters as
    `name.parameter`.
    """
    parts = [part.described() for part in arm.parts]
    plugin = parts[0]
    if len(parts) > 1:
        names = "+".join(each.name for each in parts)
        params = {
            f"{each.name}.{key}": value for each in parts for key, value in each.params.items()
        }
        plugin = PluginSpec(names, max(each.version for each in parts), params)
    return StrategyFacts(
        arm=str(arm),
        title=" + ".join(part.strategy.title for part in arm.parts),
        plugin=plugin,
        assumed=tuple(dict.fromkeys(name for part in arm.parts for name in part.strategy.assumed)),
        chain=tuple(phase.name for part in arm.parts for phase in part.phases),
        pretrains=any(part.phases for part in arm.parts),
    )
