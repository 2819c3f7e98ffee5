"""The page that `make bench` writes, from a document made by hand."""

from __future__ import annotations

from typing import Any

from benchmarks.report import PARTS, page


def document(*benchmarks: tuple[str, str, float]) -> dict[str, Any]:
    return {
        "machine_info": {
            "node": "secret-host",
            "machine": "x86_64",
            "system": "Linux",
            "python_version": "3.11.7",
            "cpu": {"brand_raw": "A CPU", "count": 2},
        },
        "datetime": "2026-11-21T02:03:04+00:00",
        "benchmarks": [
            {
                "group": group,
                "name": name,
                "stats": {"median": median, "min": median / 2, "max": median * 2, "rounds": 5},
            }
            for group, name, median in benchmarks
        ],
    }


def test_fastest_stands_first_and_others_are_relative_to_it() -> None:
    text = page(document(("g", "bench_slow_way", 0.5), ("g", "bench_ours", 0.02)), {})
    assert text.endswith(
        "## g\n\n"
        "| what | median | range | rounds | relative |\n|---|--:|--:|--:|--:|\n"
        "| ours | 20.0 ms | 10.0 ms to 40.0 ms | 5 | 1.00 |\n"
        "| slow way | 500 ms | 250 ms to 1.00 s | 5 | 25.00 |\n"
    )


def test_every_group_has_a_table_of_its_own() -> None:
    text = page(document(("b", "bench_x", 2), ("a", "bench_y", 3e-6), ("b", "bench_z", 4)), {})
    assert (
        text.index("## a")
        < text.index("| y | 3.00 us | 1.50 us to 6.00 us | 5 | 1.00 |")
        < text.index("## b")
    )
    assert "| z | 4.00 s | 2.00 s to 8.00 s | 5 | 2.00 |" in text


def test_machine_versions_and_date_are_named_but_not_the_host() -> None:
    text = page(document(), {"torch": "2.15.0"})
    assert "- Machine: A CPU, 2 cores, Linux\n" in text
    assert "- Versions: Python 3.11.7, torch 2.15.0\n- Date: 2026-11-21\n" in text
    assert "secret-host" not in text


def test_what_a_benchmark_noted_stands_below_its_table() -> None:
    made = document(("g", "bench_x", 2))
    made["benchmarks"][0]["extra_info"] = {"bytes per byte": 1.00012}
    assert page(made, {}).endswith("| 5 | 1.00 |\n\nbytes per byte: 1.0001\n")


def test_a_round_of_many_things_shows_the_time_of_one_and_is_compared_by_it() -> None:
    made = document(("g", "bench_many", 40), ("g", "bench_few", 10))
    made["benchmarks"][0]["extra_info"] = {PARTS: 2000}
    made["benchmarks"][1]["extra_info"] = {PARTS: 100}
    assert page(made, {}).endswith(
        "| many | 20.0 ms | 10.0 ms to 40.0 ms | 5 | 1.00 |\n"
        "| few | 100 ms | 50.0 ms to 200 ms | 5 | 5.00 |\n"
    )
