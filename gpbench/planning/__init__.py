"""Experiment -> Plan: stages, keys, costs. Reads names and sizes of data, and trains nothing."""

from gpbench.planning.build import build_plan
from gpbench.planning.data import (
    ResolvedDataset,
    ResolvedSource,
    resolve_dataset,
    resolve_sources,
)
from gpbench.planning.design import Knowledge
from gpbench.planning.document import plan_document
from gpbench.planning.durations import Pace
from gpbench.planning.fingerprint import dataset_fingerprint, source_fingerprint
from gpbench.planning.pilot import stored_pilots
from gpbench.planning.requests import requests

__all__ = [
    "Knowledge",
    "Pace",
    "ResolvedDataset",
    "ResolvedSource",
    "build_plan",
    "dataset_fingerprint",
    "plan_document",
    "requests",
    "resolve_dataset",
    "resolve_sources",
    "source_fingerprint",
    "stored_pilots",
]
