"""Selector texts, globs and seed lists."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpbench.core.errors import ConfigError, InvalidValueError, UnknownNameError
from gpbench.core.selector import (
    Selector,
    SelectorPart,
    expand,
    is_pattern,
    parse_seeds,
    parse_selector,
    split_list,
)

KNOWN = ("imagenet", "generalised", "scratch")

names = st.text("az09", min_size=1, max_size=4) | st.just("a-b_c.d:e")
keys = st.text("az_", min_size=1, max_size=3)
values = st.text("aZ9_./+*=-:", min_size=1, max_size=5) | st.sampled_from(
    ["a b", "[1,2]", "x[y=z]"]
)
parts = st.builds(SelectorPart, names, st.dictionaries(keys, values, max_size=3))
selectors = st.builds(Selector, st.lists(parts, min_size=1, max_size=3).map(tuple))


def test_name_alone_is_a_selector() -> None:
    assert parse_selector("imagenet") == Selector((SelectorPart("imagenet"),))


def test_commas_inside_brackets_belong_to_the_parameters() -> None:
    (part,) = parse_selector("a[x=1,y=b c]").parts
    assert part == SelectorPart("a", {"x": "1", "y": "b c"})


def test_plus_chains_and_leaves_the_plus_inside_brackets() -> None:
    first, second = parse_selector("simmim + egmim[share=0.3,how=a+b]").parts
    assert first == SelectorPart("simmim")
    assert second == SelectorPart("egmim", {"share": "0.3", "how": "a+b"})


def test_value_may_hold_equal_signs_and_balanced_brackets() -> None:
    (part,) = parse_selector("weights[file=/a=b/[1,2].pth]").parts
    assert part.params == {"file": "/a=b/[1,2].pth"}


def test_list_splits_at_commas_outside_brackets() -> None:
    assert split_list("a[x=1,y=2], b ,c") == ["a[x=1,y=2]", "b", "c"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a[x=1", "a '[' is not closed"),
        ("a]x", "a ']' has no '['"),
        ("a[x]", "'x' is not param=value"),
        ("a[x=]", "'x=' is not param=value"),
        ("a[x=1,x=2]", "parameter 'x' is given twice"),
        ("a[x=1]b", "'b' follows the bracket"),
        ("a++b", "nothing stands before or after a '+'"),
        ("a[x=1,]", "nothing stands before or after a ','"),
        ("", "nothing stands before or after a '+'"),
        ("-a", "'-a' is no name"),
        ("a b", "'a b' is no name"),
    ],
)
def test_what_is_no_selector_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_selector(text)
    assert str(caught.value) == (
        f"'{text}' is no selector: {reason}; write name, name[param=value,param=value], or a+b"
    )


def test_empty_entry_of_a_list_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing stands before or after a ','"):
        split_list("a,,b")


@settings(deadline=None)
@given(selectors)
def test_selector_survives_being_written_and_read(selector: Selector) -> None:
    assert parse_selector(str(selector)) == selector


@settings(deadline=None)
@given(st.lists(selectors, min_size=1, max_size=4))
def test_list_of_selectors_survives_being_joined_and_split(several: list[Selector]) -> None:
    assert [parse_selector(text) for text in split_list(",".join(map(str, several)))] == several


# --- globs and all ---


def test_named_keep_their_order_and_are_not_brought_in() -> None:
    assert expand(["scratch", "imagenet"], KNOWN, "strategy") == (
        ("scratch", "imagenet"),
        frozenset(),
    )


def test_glob_brings_in_all_matches_in_the_order_known() -> None:
    assert expand(["*e*"], KNOWN, "strategy") == (
        ("imagenet", "generalised"),
        frozenset({"imagenet", "generalised"}),
    )


def test_name_that_is_also_given_by_itself_was_named() -> None:
    texts, brought_in = expand(["all", "scratch"], KNOWN, "strategy")
    assert texts == KNOWN
    assert brought_in == {"imagenet", "generalised"}


def test_all_stands_for_what_the_caller_says() -> None:
    assert expand(["all"], KNOWN, "strategy", everything=["scratch"])[0] == ("scratch",)


def test_selector_with_brackets_is_passed_on_and_is_no_pattern() -> None:
    texts, brought_in = expand(["imagenet[inflate=me*n]"], KNOWN, "strategy")
    assert texts == ("imagenet[inflate=me*n]",)
    assert not brought_in
    assert not is_pattern("imagenet[inflate=me*n]")


def test_unknown_name_inside_a_chain_gets_the_nearest() -> None:
    with pytest.raises(UnknownNameError) as caught:
        expand(["imagenet+generalized"], KNOWN, "strategy")
    assert str(caught.value) == "unknown strategy 'generalized'. Did you mean 'generalised'?"


def test_glob_that_matches_nothing_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        expand(["x*"], KNOWN, "strategy")
    assert str(caught.value) == ("no strategy matches 'x*'. Known: generalised, imagenet, scratch.")


def test_all_of_nothing_asks_for_a_name() -> None:
    with pytest.raises(ConfigError, match=re.escape("'all' stands for no dataset here; name one")):
        expand(["all"], ["demo-a"], "dataset", everything=[])


# --- seeds ---


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("5", (0, 1, 2, 3, 4)),
        ("1", (0,)),
        ("0-4", (0, 1, 2, 3, 4)),
        ("3-4", (3, 4)),
        ("1,7", (1, 7)),
        ("7-7", (7,)),
        ("7-7,1, 3-4", (7, 1, 3, 4)),
    ],
)
def test_seed_texts(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "x", "-1", "1-", "4-1", "0", "1,,2", "1.5", "1,1", "0-2,2"])
def test_what_is_no_seed_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError, match=re.escape(f"pretrain_seeds = {text!r} is not")):
        parse_seeds(text, "pretrain_seeds")


def test_mistyped_number_of_seeds_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(InvalidValueError, match="1 to 1000 seeds"):
        parse_seeds("999999999")


@settings(deadline=None)
@given(st.lists(st.integers(0, 99), min_size=1, unique=True))
def test_each_seed_as_a_range_of_one_gives_the_list_back(seeds: list[int]) -> None:
    assert parse_seeds(",".join(f"{seed}-{seed}" for seed in seeds)) == tuple(seeds)
