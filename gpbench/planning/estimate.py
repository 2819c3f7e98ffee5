"""What a plan costs: images shown to the networks, bytes of kept weights. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpbench.core.plan import BackboneFacts
from gpbench.core.recipe import FinetuneRecipe
from gpbench.core.stage import PretrainSpec, StageSpec

BYTES_PER_WEIGHT = 4


def images_shown(spec: StageSpec) -> int:
    """Return the number of training images that a stage shows: steps times batch, for each role."""
    roles = max(1, len(spec.sources)) if isinstance(spec, PretrainSpec) else 1
    return (spec.recipe.steps or 0) * spec.recipe.batch * roles


def weights_bytes(
    specs: Iterable[StageSpec], backbones: Mapping[str, BackboneFacts], *, keep_finetuned: bool
) -> int | None:
    """Return about how many bytes of weights the stages keep; None: a backbone's size is unknown.

    Pre-trained backbones are always kept: fine-tunings start from them.
    """
    total = 0
    for spec in specs:
        facts = backbones.get(spec.backbone)
        if facts is None or facts.parameters is None:
            return None
        if isinstance(spec, PretrainSpec):
            total += facts.parameters
        elif keep_finetuned:
            total += facts.parameters + head_parameters(spec.recipe)
    return total * BYTES_PER_WEIGHT


def head_parameters(recipe: FinetuneRecipe) -> int:
    """Return about how many weights UPerHead has: its 3 x 3 convolutions between its own channels.

    They take 4 (pyramid pooling), 3 x 1 (levels) and 4 (fusion) times `head_channels`; what depends
    on the backbone's channels and the classes is small beside them.
    """
    return 11 * 9 * recipe.head_channels**2
