"""What can go wrong, in words for a person. Pure.

GpbenchError
├── ConfigError            the user's file or flags are wrong
│   ├── UnknownNameError            suggests the nearest name
│   ├── InvalidValueError           field, value, allowed range
│   └── MissingExtraError           names the package to install
├── PluginError            a plugin broke its contract
│   ├── PluginLoadError
│   └── ContractError               which promise, which plugin
├── DataError              files missing, or not as declared
│   ├── DatasetNotFoundError        which folder was looked at, how to get it
│   └── LabelError                  label values found and declared
├── StageError             one stage failed; the plan goes on
│   ├── DivergedError
│   ├── OutOfMemoryError
│   └── StageInterruptedError       told to stop; its checkpoint lets it continue
├── StoreError
│   └── SchemaTooNewError
└── ComparisonError        the numbers do not allow this comparison
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

ProblemKind = Literal[
    "missing", "count", "names", "unlabelled", "unreadable", "size", "pixels", "label"
]
"""What can be wrong with the files of a dataset; `gpbench.core.problems` says what each means."""


class GpbenchError(Exception):
    """An expected error; the command line prints its text and exits with `exit_code`."""

    exit_code = 2


class ConfigError(GpbenchError):
    """The experiment file, a flag or an environment variable is wrong."""

    @classmethod
    def collected(cls, where: str, problems: Sequence[str]) -> ConfigError:
        """Return one error that shows every problem of `where`, one a line."""
        if len(problems) == 1:
            return cls(f"{where}: {problems[0]}")
        return cls(
            "\n".join([f"{where}: {len(problems)} problems", *(f"  - {p}" for p in problems)])
        )


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the known name most like `name`, else the empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{close[0]}'?" if close else ""


class UnknownNameError(ConfigError):
    """A strategy, dataset, source, backbone, recipe or field of that name does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(known)
        self.kind, self.name = kind, name
        mend = nearest(name, known)
        if not mend and len(known) <= 12:  # a list that a person still reads
            mend = f" Known: {', '.join(known)}." if known else " None is known."
        super().__init__(f"unknown {kind} '{name}'.{mend}{' ' + hint if hint else ''}")


class InvalidValueError(ConfigError):
    """A known field has a value of the wrong type or outside its range."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.value = field, value
        super().__init__(f"{field} = {value!r} is not allowed: {allowed}")


class MissingExtraError(ConfigError):
    """A package that this function needs is not installed."""

    def __init__(self, package: str, needed_for: str, mend: str) -> None:
        super().__init__(
            f"{needed_for} needs the package '{package}', which is not installed: {mend}"
        )


class PluginError(GpbenchError):
    """A plugin broke its contract."""


class PluginLoadError(PluginError):
    """A plugin's module does not import, or holds no usable PLUGIN."""

    def __init__(self, kind: str, name: str, where: str, reason: str) -> None:
        super().__init__(f"{kind} '{name}' ({where}) cannot be loaded: {reason}")


class ContractError(PluginError):
    """A plugin loaded but does not keep a promise of gpbench.api."""

    def __init__(self, plugin: str, promise: str) -> None:
        super().__init__(f"plugin '{plugin}' breaks its contract: {promise}")


class DataError(GpbenchError):
    """Files are missing, unreadable, or not as declared.

    `kind` is under what a check of a dataset reports it.
    """

    def __init__(self, message: str, kind: ProblemKind = "unreadable") -> None:
        self.kind = kind
        super().__init__(message)


class DatasetNotFoundError(DataError):
    """Nothing usable lies where a dataset or source was looked for."""

    def __init__(self, name: str, root: Path | None, how: str = "") -> None:
        self.name, self.root, self.how = name, root, how
        where = f"no data for '{name}' at {root}" if root else f"no folder is known for '{name}'"
        mend = how or f"put it there, or name its folder: --data-root {name}=DIR"
        super().__init__(f"{where}; {mend}", "missing")


class LabelError(DataError):
    """A label file holds values outside the declared classes.

    `found` is the values, or a text that says of each how often and where; `ignored` is None where
    no value is.
    """

    def __init__(
        self, where: str, found: Iterable[int] | str, declared: int, ignored: int | None
    ) -> None:
        values = found if isinstance(found, str) else ", ".join(str(v) for v in sorted(found))
        besides = "no value" if ignored is None else str(ignored)
        super().__init__(
            f"{where} holds label value(s) {values}; {declared} classes (0..{declared - 1}) are "
            f"declared and {besides} is ignored: is the mask shifted, or a colour image?",
            "label",
        )


class StageError(GpbenchError):
    """One stage failed; `status` is how it ended."""

    status: Literal["diverged", "oom", "timeout", "preempted", "invalid"] = "invalid"
    exit_code = 3


class DivergedError(StageError):
    """The loss became NaN or infinite at a step."""

    status = "diverged"

    def __init__(self, step: int, loss: float) -> None:
        self.step = step
        super().__init__(f"the loss became {loss} at step {step}")


class OutOfMemoryError(StageError):
    """The device's memory did not suffice."""

    status = "oom"


class StageInterruptedError(StageError):
    """The stage was told to stop; its checkpoint lets it continue."""

    status = "preempted"
    exit_code = 130


class StoreError(GpbenchError):
    """The results database cannot be used as asked."""


class SchemaTooNewError(StoreError):
    """The database was written by a newer gpbench."""

    def __init__(self, where: str, found: str) -> None:
        super().__init__(
            f"{where} was written by a newer gpbench (schema {found}): upgrade gpbench, or use "
            "another --db or --workdir"
        )


class ComparisonError(GpbenchError):
    """The stored results do not allow the comparison that was asked for."""
