"""What is said of a dataclass's fields, by the texts below them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import pytest

from gpbench import registry
from gpbench.api import ParametrisedDataset
from gpbench.core.field_docs import field_docs


@dataclass(frozen=True)
class Base:
    """Not said of a field."""

    rate: float = field(default=0.5, metadata={"x": 1})
    """How often
    it happens."""
    silent: int = 1
    other: int = 2
    """Of the base."""

    def method(self) -> None:
        """Not said of a field."""


@dataclass(frozen=True)
class Derived(Base):
    other: int = 3
    """Of the derived one."""
    more: int = 4
    """Of its own."""


def test_the_text_below_a_field_is_its_own_and_one_line() -> None:
    assert field_docs(Base) == {"rate": "How often it happens.", "other": "Of the base."}


def test_a_class_inherits_texts_and_says_its_own() -> None:
    assert field_docs(Derived) == {
        "rate": "How often it happens.",
        "other": "Of the derived one.",
        "more": "Of its own.",
    }


def test_of_a_class_made_at_run_time_nothing_is_known() -> None:
    assert field_docs(dataclasses.make_dataclass("Made", [("rate", float)])) == {}


@pytest.mark.parametrize("kind", ["strategies", "datasets"])
def test_every_parameter_of_every_plugin_of_gpbench_has_its_sentence(kind: registry.Kind) -> None:
    silent = []
    for found in registry.listed(kind):
        plugin: object = registry.load(kind, found.name)
        params = getattr(plugin, "params", None)
        if params is None:
            assert kind == "datasets"
            assert not isinstance(plugin, ParametrisedDataset)
            continue
        docs = field_docs(params)
        silent += [
            f"{found.name}[{each.name}]"
            for each in dataclasses.fields(params)
            if not docs.get(each.name, "").endswith(".")
        ]
    assert silent == []
