"""Arms: canonical texts, chains, what a strategy promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpbench.config.arms import parse_arm
from gpbench.core.errors import ConfigError, ContractError, UnknownNameError
from tests.plugins import install, strategy


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("imagenet", "imagenet"),
        ("imagenet[inflate=repeat]", "imagenet"),
        ("imagenet[ inflate = mean ]", "imagenet[inflate=mean]"),
        (
            "generalised[probability=0.50,shuffle=sample,duplicate=random]",
            "generalised[duplicate=random,probability=0.5]",
        ),
        ("imagenet + generalised[share=0.30]", "imagenet+generalised[share=0.3]"),
    ],
)
def test_canonical_text_lists_what_differs_in_the_order_of_the_schema(
    text: str, canonical: str
) -> None:
    assert str(parse_arm(text)) == canonical
    assert str(parse_arm(canonical)) == canonical


def test_transfer_parameter_is_no_part_of_what_pretraining_depends_on() -> None:
    (part,) = parse_arm("imagenet[inflate=mean]").parts
    assert part.inflate == "mean"
    assert dict(part.spec().params) == {}
    assert dict(part.described().params) == {"inflate": "mean"}


def test_strategy_without_the_parameter_inflates_by_repetition() -> None:
    (part,) = parse_arm("generalised").parts
    assert part.inflate == "repeat"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "imagenet+scratch",
            (
                "'scratch' has no pre-training and cannot be chained: leave it out of "
                "'imagenet+scratch'"
            ),
        ),
        (
            "imagenet[share=0.6]+generalised[share=0.6]",
            (
                "the shares in 'imagenet[share=0.6]+generalised[share=0.6]' add up to 1.2: "
                "they are parts of one budget; leave one out, it gets the rest"
            ),
        ),
        (
            "imagenet[share=1.5]+generalised",
            "imagenet[share] = '1.5' is not allowed: between 0 and 1",
        ),
    ],
)
def test_impossible_chain_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_arm(text)
    assert str(caught.value) == message


def test_shares_that_add_up_to_one_may_all_be_given() -> None:
    first, second = parse_arm("imagenet[share=0.7]+generalised[share=0.3]").parts
    assert (first.share, second.share) == (0.7, 0.3)


def test_share_belongs_to_chains_alone() -> None:
    with pytest.raises(UnknownNameError, match="unknown parameter of imagenet 'share'"):
        parse_arm("imagenet[share=0.5]")


@pytest.mark.parametrize(
    ("phases", "channels", "promise"),
    [
        ('[Phase("a", "labelled", None)] * 2', "rgb", "each phase has a name of its own"),
        ('[Phase("a", "labeled", None)]', "rgb", "a phase reads roles of"),
        ('[Phase("a", (), None)]', "rgb", "a phase reads roles of"),
        ('[Phase("a", "labelled", None, share=0)]', "rgb", "a phase's share is more than 0"),
        ('[Phase("a", "labelled", None)]', "bgr", "channels is one of"),
    ],
)
def test_strategy_that_planning_cannot_rely_on_is_refused(
    phases: str, channels: str, promise: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = strategy(phases, channels=channels)
    install(tmp_path, monkeypatch, "strategies", {"odd": source})
    with pytest.raises(ContractError, match=promise):
        parse_arm("odd")
