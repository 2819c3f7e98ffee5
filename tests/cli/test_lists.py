"""`list` and `show` of strategies, datasets, sources, backbones and recipes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from gpbench.cli.listing import dotted, parameters, text
from tests.cli.conftest import Command
from tests.plugins import install

JSON_PAGE = Path(__file__).parents[2] / "docs" / "json.md"
BROKEN = '"""A strategy whose library is not there."""\nimport no_such_library\n'
NEEDY = '''"""A strategy that must be told its share."""
from dataclasses import dataclass

@dataclass(frozen=True)
class Params:
    share: float

class Needy:
    title, version, params, channels, assumed = "Needy", 3, Params, "rgb", ()

    def phases(self, params):
        raise AssertionError("asked for phases without its share")

PLUGIN = Needy()
'''


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with one strategy that does not import and one that does."""
    (tmp_path / "broken_plugin.py").write_text(BROKEN)
    (tmp_path / "needy_plugin.py").write_text(NEEDY)
    info = tmp_path / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[gpbench.strategies]\nbroken = broken_plugin\nneedy = needy_plugin\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


# --- list ---


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("strategies", {"generalised", "imagenet", "scratch"}),
        ("datasets", {"demo-isaid", "demo-mfnet", "demo-potsdam", "demo-pst900", "folder"}),
        ("sources", {"demo", "folder"}),
        ("recipes", {"demo", "paper", "small"}),
    ],
)
def test_list_names_all_and_summarises_each(kind: str, names: set[str], gpbench: Command) -> None:
    document = gpbench(kind, "list", "--format", "json").document
    assert document["schema"] == f"gpbench.{kind}/1"
    assert names <= {item["name"] for item in document["items"]}
    assert all(item["summary"] for item in document["items"])


def test_list_is_a_table_for_a_person(gpbench: Command) -> None:
    said = gpbench("strategies", "list")
    assert [line.split()[0] for line in said.out.splitlines() if line.startswith("scr")] == [
        "scratch"
    ]
    assert said.err == ""


@pytest.mark.parametrize("kind", ["strategies", "datasets", "sources"])
def test_all_plugins_of_gpbench_load(kind: str, gpbench: Command) -> None:
    said = gpbench(kind, "list", "--verify", "--format", "json")
    assert said.code == 0
    assert {item["problem"] for item in said.document["items"]} == {None}


@pytest.mark.usefixtures("third_party")
def test_plugin_that_does_not_import_is_listed_with_its_error_and_hides_nothing(
    gpbench: Command,
) -> None:
    said = gpbench("strategies", "list", "--format", "json")
    items = {item["name"]: item for item in said.document["items"]}
    assert said.code == 0
    assert items["broken"]["summary"] == "A strategy whose library is not there."
    assert {name for name, item in items.items() if item["problem"]} == {"broken"}
    assert items["broken"]["problem"] == (
        "strategy 'broken' (third-party: broken_plugin) cannot be loaded: "
        "ModuleNotFoundError: No module named 'no_such_library'"
    )
    assert {"imagenet", "needy"} <= items.keys()


@pytest.mark.usefixtures("third_party")
def test_what_is_not_built_in_shows_its_distribution_and_version(gpbench: Command) -> None:
    items = gpbench("strategies", "list", "--format", "json").document["items"]
    found = {item["name"]: (item["distribution"], item["distribution_version"]) for item in items}
    assert found["needy"] == ("third-party", "1.0")
    assert found["imagenet"] == (None, None)
    table = gpbench("strategies", "list").out
    assert re.search(r"^needy .* third-party 1\.0 +-$", table, re.MULTILINE)
    assert re.search(r"^scratch .* +- +-$", table, re.MULTILINE)


def test_a_table_of_built_in_plugins_names_no_distribution(gpbench: Command) -> None:
    assert gpbench("sources", "list").out.splitlines()[0].split() == ["name", "summary"]


@pytest.mark.parametrize("kind", ["strategies", "datasets", "sources"])
@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("raise ValueError('first\\n  second')", "ValueError: first second"),
        ("raise SystemExit('not a script')", "SystemExit: not a script"),
        ("def f(:", "SyntaxError: invalid syntax"),
    ],
    ids=["lines", "exit", "syntax"],
)
def test_whatever_a_module_raises_is_one_line_of_list_and_of_show(
    kind: str, source: str, error: str, gpbench: Command, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    install(tmp_path, monkeypatch, kind, {"torn": source})
    said = gpbench(kind, "list", "--format", "json")
    (problem,) = (item["problem"] for item in said.document["items"] if item["name"] == "torn")
    assert said.code == 0
    assert f"cannot be loaded: {error}" in problem
    shown = gpbench(kind, "show", "torn")
    assert (shown.code, shown.out, shown.err) == (2, "", f"gpbench: {problem}\n")


@pytest.mark.usefixtures("third_party")
def test_verify_says_what_is_broken_and_exits_2(gpbench: Command) -> None:
    said = gpbench("strategies", "list", "--verify", "--format", "json")
    problems = {item["name"]: item["problem"] for item in said.document["items"]}
    assert said.code == 2
    assert "No module named 'no_such_library'" in problems.pop("broken")
    assert set(problems.values()) == {None}


@pytest.mark.slow
def test_backbones_are_filtered_by_glob(gpbench: Command) -> None:
    items = gpbench("backbones", "list", "--filter", "test_vi*", "--format", "json").document[
        "items"
    ]
    assert {"test_vit", "test_vit2"} <= {item["name"] for item in items}
    assert all(item["name"].startswith("test_vi") and item["summary"] for item in items)


@pytest.mark.slow
def test_filter_that_matches_no_backbone_offers_the_nearest(gpbench: Command) -> None:
    said = gpbench("backbones", "list", "--filter", "test_vitt")
    assert said.code == 2
    assert said.err == (
        "gpbench: no backbone matches --filter 'test_vitt'. Did you mean 'test_vit'?\n"
    )


# --- show ---


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("strategies", "imagnet", "unknown strategy 'imagnet'. Did you mean 'imagenet'?"),
        ("datasets", "demo-isad", "unknown dataset 'demo-isad'. Did you mean 'demo-isaid'?"),
        ("sources", "demp", "unknown source 'demp'. Did you mean 'demo'?"),
        ("recipes", "smal", "unknown recipe 'smal'. Did you mean 'small'?"),
        pytest.param(
            "backbones",
            "convnext_tinny",
            "unknown backbone 'convnext_tinny'. Did you mean 'convnext_tiny'?",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_unknown_name_exits_2_and_offers_the_nearest(
    kind: str, name: str, message: str, gpbench: Command
) -> None:
    said = gpbench(kind, "show", name)
    assert (said.code, said.out, said.err) == (2, "", f"gpbench: {message}\n")


def shown(gpbench: Command, *arguments: str) -> dict[str, Any]:
    """Return the one item that `show` prints."""
    said = gpbench(arguments[0], "show", *arguments[1:], "--format", "json")
    assert said.code == 0, said.err
    (item,) = said.document["items"]
    assert isinstance(item, dict)
    return item


def test_strategy_shows_phases_and_marks_what_its_paper_leaves_open(gpbench: Command) -> None:
    item = shown(gpbench, "strategies", "generalised")
    assert item["phases"] == [{"name": "csp", "sources": ["labelled"], "share": 1.0}]
    assert item["parameters"][0] == {
        "name": "duplicate",
        "values": "cyclic | random",
        "default": "cyclic",
        "note": "our reading",
        "meaning": "What lies beyond the third channel: red, green, blue again, or drawn for every "
        "image.",
    }


def test_strategy_s_table_holds_facts_phases_and_parameters(gpbench: Command) -> None:
    out = gpbench("strategies", "show", "generalised").out
    assert out.index("channels") < out.index("csp") < out.index("our reading")


@pytest.mark.usefixtures("third_party")
def test_strategy_with_a_required_parameter_is_shown_without_phases(gpbench: Command) -> None:
    item = shown(gpbench, "strategies", "needy")
    assert item["phases"] == []
    assert item["parameters"] == [
        {"name": "share", "values": "float", "default": None, "note": "required", "meaning": None}
    ]


@pytest.mark.usefixtures("third_party")
def test_strategy_that_does_not_import_is_one_message(gpbench: Command) -> None:
    said = gpbench("strategies", "show", "broken")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "No module named 'no_such_library'" in said.err


def test_dataset_shows_bands_classes_and_protocol(gpbench: Command) -> None:
    item = shown(gpbench, "datasets", "demo-mfnet")
    assert item["bands"][:3] == ["red", "green", "blue"]
    assert len(item["classes"]) >= 2
    assert item["synthetic"] is True
    assert item["metric"] in {"mIoU", "mF1"}


def test_kind_of_dataset_shows_the_parameters_that_it_needs(gpbench: Command) -> None:
    item = shown(gpbench, "datasets", "folder")
    assert [(each["name"], each["note"]) for each in item["parameters"]] == [("card", "required")]


def test_folder_dataset_without_its_card_is_one_message(gpbench: Command, tmp_path: Path) -> None:
    said = gpbench("datasets", "show", f"folder[card={tmp_path / 'absent.yaml'}]")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "absent.yaml" in said.err


def test_source_shows_its_roles(gpbench: Command) -> None:
    assert "labelled" in shown(gpbench, "sources", "demo")["roles"]


def test_recipe_shows_its_values_as_the_file_holds_them(gpbench: Command) -> None:
    item = shown(gpbench, "recipes", "demo")
    assert item["name"] == "demo"
    assert item["pretrain"]["optim"]["optimizer"] == "adamw"


def test_recipe_s_table_shows_names_that_set_takes(gpbench: Command) -> None:
    assert "finetune.optim.lr " in gpbench("recipes", "show", "demo").out


@pytest.mark.slow
def test_backbone_shows_its_layout_and_size(gpbench: Command) -> None:
    item = shown(gpbench, "backbones", "test_vit")
    assert item["layout"] == "isotropic"
    assert item["parameters"] > 100_000


# --- texts ---


@dataclass(frozen=True)
class Params:
    """One parameter of each kind."""

    count: int
    mode: Literal["a", "b"] = "a"
    """How it is done."""
    rate: float | None = None
    card: Path = Path("x.yaml")


def test_parameters_show_what_can_be_written() -> None:
    rows = parameters(Params, assumed=("mode",))
    assert [tuple(row.values()) for row in rows] == [
        ("count", "int", None, "required", None),
        ("mode", "a | b", "a", "our reading", "How it is done."),
        ("rate", "float | null", None, None, None),
        ("card", "Path", "x.yaml", None, None),
    ]


@pytest.mark.parametrize(
    ("value", "shown_as"),
    [(None, "-"), (True, "yes"), (False, "no"), ([], "-"), ((0.5, 2.0), "0.5, 2.0"), (0, "0")],
)
def test_value_is_shown_in_words(value: object, shown_as: str) -> None:
    assert text(value) == shown_as


def test_nested_values_have_dotted_names() -> None:
    assert dotted({"a": 1, "b": {"c": {"d": 2}}}) == {"a": 1, "b.c.d": 2}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("strategies", "imagenet"),
        ("datasets", "demo-isaid"),
        ("sources", "demo"),
        ("recipes", "demo"),
    ],
)
def test_every_field_is_documented(kind: str, name: str, gpbench: Command) -> None:
    (row,) = (
        line for line in JSON_PAGE.read_text().splitlines() if f"| `gpbench.{kind}/1` |" in line
    )
    fields = set(shown(gpbench, kind, name)) - {"name", "summary"}
    assert {field for field in fields if not re.search(rf"\b{field}\b", row)} == set()
