"""Plan -> requests: the distinct stages as they are sent to workers, with where things lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from gpbench.core.plan import Plan
from gpbench.core.stage import BACKBONE_FILE, DatasetSpec, PretrainSpec, StageRequest, StageSpec


def requests(
    plan: Plan, workdir: Path, *, keep_weights: bool = True, storage: str | None = None
) -> dict[str, StageRequest]:
    """Return key -> request of each distinct stage that has a key, parents before children.

    Args:
        plan: Items without a key (their data are missing) are left out.
        workdir: Stages lie in `stages/<key>` below it, prepared datasets in `data`.
        keep_weights: Keep the weights of fine-tunings; those of pre-trainings are always kept.
        storage: Where nodes that do not share the working directory find the stages' files.
    """
    sending = _Sending(plan, workdir.absolute(), keep_weights, storage)
    return {
        key: sending.request(item.spec)
        for key, item in plan.stages().items()
        if item.spec is not None
    }


@dataclass(frozen=True)
class _Sending:
    """What the requests of a plan have in common."""

    plan: Plan
    workdir: Path
    keep_weights: bool
    storage: str | None

    def request(self, spec: StageSpec) -> StageRequest:
        stages, roots = self.workdir / "stages", self.plan.source_roots
        roles = [source.role for source in spec.sources] if isinstance(spec, PretrainSpec) else []
        request = StageRequest(
            spec=spec,
            folder=str(stages / spec.key),
            parent_weights=str(stages / spec.parent / BACKBONE_FILE) if spec.parent else None,
            roots={role: roots[role] for role in roles if role in roots},
            data_folder=str(self.workdir / "data"),
            execution=self.plan.experiment.execution,
            keep_weights=self.keep_weights or isinstance(spec, PretrainSpec),
            storage=self.storage,
        )
        return request if spec.dataset is None else self._preparable(request, spec.dataset)

    def _preparable(self, request: StageRequest, dataset: DatasetSpec) -> StageRequest:
        """Return the request with what a node needs to prepare the dataset itself."""
        experiment, roots = self.plan.experiment, self.plan.experiment.data_roots
        facts = next(facts for facts in self.plan.datasets if facts.spec == dataset)
        names = (facts.name, dataset.plugin.name)  # `resolve_dataset` looks for these
        return replace(
            request,
            selector=facts.selector,
            data_roots={name: roots[name] for name in names if name in roots},
            allow_partial=experiment.allow_partial,
        )
