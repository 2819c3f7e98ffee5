"""The results database: plans, who runs what, what came of it. The driver is its only writer."""

from gpbench.store.claims import LEASE_S, Claim
from gpbench.store.owner import Owner
from gpbench.store.progress import FailedStage, RunningStage, StoreStatus
from gpbench.store.results import Result
from gpbench.store.rows import StoredExperiment
from gpbench.store.scored import SceneTotals
from gpbench.store.store import Store

__all__ = [
    "LEASE_S",
    "Claim",
    "FailedStage",
    "Owner",
    "Result",
    "RunningStage",
    "SceneTotals",
    "Store",
    "StoreStatus",
    "StoredExperiment",
]
