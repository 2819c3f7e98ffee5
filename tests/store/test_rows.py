from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.core.recipe import FinetuneRecipe, Optimisation, PretrainRecipe, Recipe
from gpbench.core.stage import canonical_json
from gpbench.store.rows import experiment_from_dict, experiment_to_dict
from tests.store.plans import make_plan

recipes = st.builds(
    Recipe,
    name=st.text(max_size=5),
    pretrain=st.builds(
        PretrainRecipe,
        batch=st.integers(1, 9),
        crop_px=st.integers(1, 9),
        epochs=st.floats(0.1, 9),
        scale=st.just((0.08, 0.5)),
        optim=st.builds(Optimisation, lr=st.floats(1e-9, 1), clip_grad=st.none() | st.just(1.0)),
    ),
    finetune=st.builds(FinetuneRecipe, batch=st.integers(1, 9), steps=st.integers(1, 9)),
    cpu_threads=st.integers(1, 9),
)


@settings(deadline=None)
@given(
    recipes,
    st.frozensets(st.text(max_size=5), max_size=3),
    st.none() | st.integers(1, 9),
    st.lists(st.integers(0, 2**62), min_size=1, max_size=3).map(tuple),
)
def test_experiment_survives_json(
    recipe: Recipe, brought_in: frozenset[str], limit: int | None, seeds: tuple[int, ...]
) -> None:
    experiment = replace(
        make_plan().experiment, recipe=recipe, brought_in=brought_in, limit=limit, seeds=seeds
    )
    text = canonical_json(experiment_to_dict(experiment))
    assert experiment_from_dict(json.loads(text)) == experiment
