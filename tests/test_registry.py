"""Names -> plugins. Fakes are real packages on disk, found as an installed one is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gpbench import registry
from gpbench.core.errors import ContractError, PluginLoadError, UnknownNameError
from tests.plugins import SOURCE, STRATEGY, install


def find(kind: registry.Kind, name: str) -> registry.Listed:
    (found,) = [each for each in registry.listed(kind) if each.name == name]
    return found


def test_built_in_plugins_are_listed_by_file_name_with_their_first_line() -> None:
    assert {"scratch", "imagenet", "generalised"} <= {
        each.name for each in registry.listed("strategies")
    }
    assert {"folder", "demo-isaid"} <= {each.name for each in registry.listed("datasets")}
    assert {"folder", "demo"} <= {each.name for each in registry.listed("sources")}
    assert find("strategies", "scratch").summary == (
        "No pre-training: fine-tuning starts from random weights."
    )


def test_modules_with_a_leading_underscore_are_no_plugins() -> None:
    names = [each.name for each in registry.listed("datasets")]
    assert not [name for name in names if name.startswith(("_", "-"))]


def test_listing_imports_no_plugin(tmp_path: Path) -> None:
    code = (
        "import sys; from gpbench import registry\n"
        "for kind in ('strategies', 'datasets', 'sources'): assert registry.listed(kind)\n"
        "print([m for m in sys.modules if m.split('.')[0] in"
        " ('torch', 'gpbench_strategies', 'gpbench_datasets')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"


def test_third_party_plugin_is_found_by_module_and_by_attribute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = install(tmp_path, monkeypatch, "strategies", {"calm": STRATEGY, "wild": STRATEGY})
    other = SOURCE.replace("PLUGIN = Fake()", "OTHER = Fake()")
    install(tmp_path / "more", monkeypatch, "sources", {"pics": other}, ":OTHER")
    calm = find("strategies", "calm")
    assert calm.summary == "A strategy of one phase."
    assert calm.where == f"{package}: {package}.calm"
    assert registry.load("strategies", "calm").title == "Fake"
    assert registry.load("sources", "pics").info.title == "Pictures"


def test_module_that_does_not_import_is_listed_and_its_error_is_shown_when_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = install(
        tmp_path, monkeypatch, "strategies", {"broken": '"""Breaks."""\n1 / 0\n', "torn": "def f(:"}
    )
    assert find("strategies", "broken").summary == "Breaks."
    assert find("strategies", "torn").summary.startswith("does not parse: invalid syntax")
    with pytest.raises(PluginLoadError) as caught:
        registry.load("strategies", "broken")
    assert str(caught.value) == (
        f"strategy 'broken' ({package}: {package}.broken) cannot be loaded: "
        "ZeroDivisionError: division by zero"
    )
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_entry_point_to_a_module_that_is_gone_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = install(tmp_path, monkeypatch, "datasets", {"gone": ""})
    (tmp_path / package / "gone.py").unlink()
    assert find("datasets", "gone").summary == f"cannot be found: {package}.gone"


def test_two_plugins_of_one_name_are_refused_naming_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = install(tmp_path, monkeypatch, "strategies", {"scratch": STRATEGY})
    with pytest.raises(ContractError) as caught:
        registry.listed("strategies")
    message = str(caught.value)
    assert message.startswith("plugin 'scratch' breaks its contract: its name is its own, but ")
    assert "gpbench_strategies/scratch.py" in message
    assert f"{package}: {package}.scratch" in message
    with pytest.raises(ContractError):
        registry.load("strategies", "imagenet")


@pytest.mark.parametrize("name", ["all", "With Space", "a+b"])
def test_name_that_no_selector_can_hold_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "sources", {"fine": SOURCE}, entry=name)
    with pytest.raises(ContractError, match="its name"):
        registry.listed("sources")


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError, match=r"unknown strategy 'imagnet'\. Did you mean 'imagenet'"
    ):
        registry.load("strategies", "imagnet")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("", "has no attribute 'PLUGIN'"),
        ("class A: title = 'x'\nPLUGIN = A()", "missing: version, params, channels"),
        (STRATEGY.replace("params = Params", "params = dict"), "its params is a dataclass"),
    ],
)
def test_plugin_that_lacks_what_it_promises_is_refused(
    source: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "strategies", {"half": source})
    with pytest.raises((PluginLoadError, ContractError), match=reason):
        registry.load("strategies", "half")
