"""Tune function trainables with Tune's defaults: what the executor is measured against.

Light, and in a process of its own: neither gpbench nor what gpbench sets of Ray reaches a trial.
"""

from __future__ import annotations

import os


def start(processors: int) -> None:
    """Start a cluster, which ends with this process."""
    for name in [name for name in os.environ if name.startswith(("RAY_", "TUNE_"))]:
        del os.environ[name]
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # benchmarks use no network
    import ray

    ray.init("local", num_cpus=processors, include_dashboard=False, log_to_driver=False)


def fit(functions: int, folder: str) -> int:
    """Run as many function trials of one processor each and return how many ended well."""
    from ray import tune

    def do_nothing(_config: dict[str, object]) -> None:
        tune.report({"ended": 1})

    tuner = tune.Tuner(
        do_nothing,
        tune_config=tune.TuneConfig(num_samples=functions),
        run_config=tune.RunConfig(storage_path=folder, verbose=0),
    )
    return sum(result.metrics["ended"] for result in tuner.fit())
