"""Position embeddings and relative position tables, brought from one image size to another."""

from __future__ import annotations

import math
from typing import Any

from timm.layers import (
    resample_abs_pos_embed,
    resample_abs_pos_embed_nhwc,
    resize_rel_pos_bias_table_simple,
)
from torch import Tensor, nn

ABSOLUTE, RELATIVE = "pos_embed", "relative_position_bias_table"


def resampled(model: nn.Module, name: str, trained: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a position tensor in `shape` by timm's bicubic interpolation; others unchanged.

    Only square grids are handled: training crops are square.
    """
    if trained.shape == shape or trained.ndim != len(shape):
        return trained
    if name.endswith(ABSOLUTE):
        return _absolute(model, trained, shape)
    if name.endswith(RELATIVE):
        return _relative(model.get_submodule(name.rpartition(".")[0]), trained, shape)
    return trained


def _absolute(model: Any, trained: Tensor, shape: tuple[int, ...]) -> Tensor:
    if trained.shape[-1] != shape[-1]:
        return trained
    if trained.ndim == 4:
        grid: Tensor = resample_abs_pos_embed_nhwc(trained, list(shape[1:3]))
        return grid
    embeds_prefix = not getattr(model, "no_embed_class", False)
    prefix = int(getattr(model, "num_prefix_tokens", 0)) if embeds_prefix else 0
    old, new = (math.isqrt(tokens - prefix) for tokens in (trained.shape[1], shape[1]))
    if old * old + prefix != trained.shape[1] or new * new + prefix != shape[1]:
        return trained
    tokens: Tensor = resample_abs_pos_embed(
        trained, [new, new], old_size=[old, old], num_prefix_tokens=prefix
    )
    return tokens


def _relative(attention: Any, trained: Tensor, shape: tuple[int, ...]) -> Tensor:
    window = getattr(attention, "window_size", None)
    if window is None:
        return trained
    table: Tensor = resize_rel_pos_bias_table_simple(
        trained, new_window_size=window, new_bias_shape=shape
    )
    return table
