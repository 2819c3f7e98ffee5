"""Names -> datasets and sources, with where their files lie and whether they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpbench import registry
from gpbench.api import Dataset, InspectedDataset, ParametrisedDataset, Role, Source
from gpbench.config.names import DEMO, SOURCE_ROLES
from gpbench.core.dataset import Split
from gpbench.core.errors import ConfigError, DataError, DatasetNotFoundError, UnknownNameError
from gpbench.core.params import parse_params
from gpbench.core.plan import SourceChoice
from gpbench.core.problems import OF_SUBSETS, DataProblemsError, Problem, subset_mend
from gpbench.core.selector import parse_selector
from gpbench.core.stage import DatasetSpec, PluginSpec, SourceSpec
from gpbench.planning.fingerprint import NOWHERE, dataset_fingerprint, source_fingerprint

DEFAULT_SOURCES: dict[Role, str] = {
    "labelled": "imagenet-1k",
    "unlabelled": "million-aid",
    "scenes": "million-aid",
}
DEMO_SOURCE = "demo"
NEEDED_SPLITS: dict[Split, str] = {"train": "train on", "test": "score"}


@dataclass(frozen=True)
class ResolvedDataset:
    """A downstream dataset, ready to be asked for its images."""

    name: str
    """Its name everywhere: `folder:NAME` for a folder dataset."""
    dataset: Dataset
    plugin: PluginSpec
    root: Path | None
    """The folder of its raw files; None: none is known, or it is procedural."""

    def spec(self, *, allow_partial: bool = False) -> DatasetSpec:
        """Return facts and fingerprint.

        Args:
            allow_partial: A part of the dataset will do: fewer images than the card says.

        Raises:
            DatasetNotFoundError: If nothing usable lies at its root, or no root is known.
            DataProblemsError: If what lies there is not as declared; says all that is wrong.
        """
        try:
            accepted = OF_SUBSETS if allow_partial else frozenset()
            wrong = [each for each in self.problems() if each.kind not in accepted]
            if wrong:
                mend = subset_mend(wrong, allow_partial=allow_partial)
                raise DataProblemsError(self.name, wrong, mend)
            fingerprint = dataset_fingerprint(self.dataset, self.root)
        except DatasetNotFoundError as error:
            raise _not_found(self.name, self.root, error, self._give()) from error
        except OSError as error:
            raise _unreadable(self.name, error) from error
        return DatasetSpec(self.plugin, self.dataset.info, self.dataset.protocol, fingerprint)

    def check_splits(self) -> None:
        """Check that there is something to train on and something to score.

        Raises:
            DataError: If a split is empty.
        """
        for split, purpose in NEEDED_SPLITS.items():
            if not self.dataset.images(self.root or NOWHERE, split):
                raise DataError(f"{self.name}: the {split} split is empty: nothing to {purpose}")

    def problems(self) -> Sequence[Problem]:
        """Return what the dataset says is wrong with its files; none where it cannot tell."""
        if isinstance(self.dataset, InspectedDataset):
            return self.dataset.problems(self.root or NOWHERE)
        return []

    def is_partial(self) -> bool:
        """Return whether images are missing of those that the dataset should have."""
        return any(problem.kind in OF_SUBSETS for problem in self.problems())

    def _give(self) -> str:
        name = self.plugin.name if self.name.startswith(f"{self.plugin.name}[") else self.name
        return f"put it into $GPBENCH_DATA/{name}, or name its folder: --data-root {name}=DIR"


@dataclass(frozen=True)
class ResolvedSource:
    """A source that serves one role."""

    name: str
    role: Role
    source: Source
    root: Path | None
    named: bool
    """By the user, not by default."""

    def spec(self) -> tuple[SourceSpec, int]:
        """Return what enters a key, and the number of images.

        Raises:
            DatasetNotFoundError: If nothing usable lies at its root, or no root is known.
            DataError: If what lies there is not as declared.
        """
        try:
            fingerprint, images = source_fingerprint(self.source, self.root, self.role)
        except DatasetNotFoundError as error:
            raise _not_found(self.name, self.root, error, _give_source(self)) from error
        except OSError as error:
            raise _unreadable(self.name, error) from error
        plugin = PluginSpec(self.name, self.source.info.version)
        return SourceSpec(self.role, plugin, fingerprint), images


def resolve_dataset(text: str, data_roots: Mapping[str, str]) -> ResolvedDataset:
    """Return the dataset that a selector names; whether its files are there is not looked at.

    Raises:
        ConfigError: If it does not exist, or its parameters or card are wrong.
        PluginError: If it cannot be loaded.
    """
    (part,) = parse_selector(text).parts
    plugin = registry.load("datasets", part.name)
    if isinstance(plugin, ParametrisedDataset):
        params = parse_params(plugin.params, part.params, part.name)
        name, dataset, identity = plugin.configured(params)
    else:
        name, dataset, identity = part.name, plugin, {}
    own: Path | None = getattr(dataset, "default_root", None)
    chosen = name.startswith(f"{part.name}[")  # parameters choose among the same files
    given = data_roots.get(name) or (data_roots.get(part.name) if chosen else None)
    root = Path(given) if given else own
    spec = PluginSpec(part.name, dataset.info.version, identity)
    return ResolvedDataset(name, dataset, spec, root)


def resolve_sources(
    choices: Sequence[SourceChoice], data_roots: Mapping[str, str], *, demo: bool
) -> dict[Role, ResolvedSource]:
    """Return the source of each role; a role that nothing serves is left out.

    A source that was named with a role comes before one without, and both before the default.

    Args:
        choices: What the user named.
        data_roots: Name -> folder, for sources without a root of their own.
        demo: All datasets are of the synthetic world, and so is the default source.

    Raises:
        ConfigError: If two sources are named for one role, or one does not serve its role.
    """
    for choice in choices:
        roles = _roles(choice.name)
        if choice.role is not None and choice.role not in roles:
            raise UnknownNameError(f"role of source '{choice.name}'", choice.role, roles)
    found: dict[Role, ResolvedSource] = {}
    for role in SOURCE_ROLES:
        offers = [choice for choice in choices if choice.role == role] or [
            choice for choice in choices if choice.role is None and role in _roles(choice.name)
        ]
        if len(offers) > 1:
            names = " and ".join(choice.name for choice in offers)
            raise ConfigError(
                f"{names} both serve the role '{role}': say which, --source {role}={offers[0].name}"
            )
        default = _default(role, demo=demo)
        if offers:
            found[role] = _resolved(offers[0], role, data_roots, named=True)
        elif _is_installed(default) and role in _roles(default):
            found[role] = _resolved(SourceChoice(default), role, data_roots, named=False)
    return found


def missing_source(arm: str, role: Role, *, demo: bool) -> str:
    """Return what to do where no source serves a role that an arm reads."""
    default = _default(role, demo=demo)
    state = "does not serve it" if _is_installed(default) else "is not installed"
    return (
        f"arm '{arm}' reads images of the role '{role}': no source is named for it, and the "
        f"default source '{default}' {state}; name one: --source {role}=NAME, or "
        f"--source '{role}=folder[root=DIR]' for images in a folder"
    )


def _default(role: Role, *, demo: bool) -> str:
    return DEMO_SOURCE if demo else DEFAULT_SOURCES[role]


def _is_installed(source: str) -> bool:
    return source in [each.name for each in registry.listed("sources")]


def _roles(source: str) -> tuple[Role, ...]:
    return registry.load("sources", source).info.roles


def is_demo(dataset: str) -> bool:
    """Return whether a dataset belongs to the synthetic world."""
    return dataset.startswith(DEMO)


def _resolved(
    choice: SourceChoice, role: Role, data_roots: Mapping[str, str], *, named: bool
) -> ResolvedSource:
    root = choice.root or data_roots.get(choice.name)
    source = registry.load("sources", choice.name)
    return ResolvedSource(choice.name, role, source, Path(root) if root else None, named)


def _give_source(resolved: ResolvedSource) -> str:
    name = resolved.name
    return (
        f"it serves the role '{resolved.role}': put it into $GPBENCH_DATA/{name}, or name its "
        f"folder: --source '{resolved.role}={name}[root=DIR]'"
    )


def _unreadable(name: str, error: OSError) -> DataError:
    return DataError(f"the files of '{name}' cannot be listed: {error}")


def _not_found(
    name: str, root: Path | None, error: DatasetNotFoundError, mend: str
) -> DatasetNotFoundError:
    """Return the plugin's error, which knows the layout; without a root, how to give one too."""
    if root is not None:
        return error
    return DatasetNotFoundError(name, root, f"{mend}. {error.how}" if error.how else mend)
