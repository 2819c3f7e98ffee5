"""Experiment -> Plan: stages, keys, costs. Reads names and sizes of data, and trains nothing.

What only `gpbench plan` shows (`design`, `document`, `pilot`) is imported from its own module: it
reads the store, and each process that runs a stage would load a database library with this package.
"""

from gpbench.planning.build import build_plan
from gpbench.planning.data import (
    ResolvedDataset,
    ResolvedSource,
    resolve_dataset,
    resolve_sources,
)
from gpbench.planning.durations import Pace
from gpbench.planning.fingerprint import dataset_fingerprint, source_fingerprint
from gpbench.planning.requests import requests

__all__ = [
    "Pace",
    "ResolvedDataset",
    "ResolvedSource",
    "build_plan",
    "dataset_fingerprint",
    "requests",
    "resolve_dataset",
    "resolve_sources",
    "source_fingerprint",
]
