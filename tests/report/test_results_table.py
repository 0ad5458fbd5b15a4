import io

import pytest
from rich.console import Console

from tapetum.report.tables import render_results, results_markdown

FIGURES = ("r1", "r5", "r10", "r20", "mAP", "mINP")
COUNTS = {"valid_queries": 2208, "queries": 3803, "gallery": 112}


def setting(mean=0.5, std=0.0125, trials=10, reranked=False, **more):
    found = {
        "trials": [{"cmc": [mean], "mAP": mean, "mINP": mean, **COUNTS} for _ in range(trials)],
        "mean": dict.fromkeys(FIGURES, mean),
        "std": dict.fromkeys(FIGURES, std),
        "chance": dict.fromkeys(FIGURES, 0.01),
        **more,
    }
    if reranked:
        figures = {"mean": dict.fromkeys(FIGURES, mean + 0.111), "std": dict.fromkeys(FIGURES, std)}
        found["reranked"] = {**figures, "k1": 20, "k2": 6, "weight": 0.3}
    return found


def results(settings, **more):
    facts = {"protocol": "sysu_mm01", "draw": "official", "direction": "ir-to-rgb", "dataset": "sysu_mm01"}
    return {**facts, "distance": "euclidean", "cmc": "identities", "notes": [], **more, **settings}


def printed(content) -> str:
    with Console(width=80, file=io.StringIO(), record=True) as console:
        console.print(render_results(content))
    return console.export_text()


def test_a_reader_learns_what_the_figures_mean():
    content = results({"all_single": setting(), "indoor_single": setting(1.0)}, notes=["a note"])
    text, markdown = printed(content), results_markdown(content)
    for words in ("sysu_mm01", "draw official", "infrared → RGB", "euclidean", "percent", "no re-ranking", "a note"):
        assert words in " ".join(text.split())
        assert words in markdown
    row, chance = [line for line in markdown.splitlines() if line.startswith(("| indoor_single", "| by chance"))][1:]
    assert row == f"| indoor_single{' | 100.00 ± 1.25' * 5} | 10 | 2208 of 3803 | 112 |"
    assert chance.startswith("| by chance | 1.00 | 1.00 |")
    for words in ("100.00", "±1.25", "by chance", "2208", "of 3803"):
        assert words in text
    assert "…" not in text
    assert "each person of the gallery once" in text


def test_a_spread_of_trials_that_all_draw_the_same_images_says_nothing():
    words = "every trial draws the same images, so that ± 0.00 says nothing"
    content = results({"all_single": setting(), "all_multi": setting(std=1e-17), "indoor_multi": setting(std=0.0)})
    assert f"- all_multi, indoor_multi: {words}" in results_markdown(content)
    assert words not in results_markdown(results({"all": setting(std=0.0, trials=1)}))


@pytest.mark.parametrize("reranked", [False, True])
def test_80_columns_are_enough_for_the_longest_names_and_numbers(reranked):
    names = ("rgb_to_ir_indoor_single", "infrared_to_visible", "rgb_to_any_rgb", "camera_1_to_2")
    content = results({name: setting(1.0, 0.1, reranked=reranked) for name in names})
    text = printed(content)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("100.00") == 5 * len(names)
    assert "…" not in text
    for part in ("rgb_to_ir_", "indoor_single", "infrared_to_", "visible", "rgb_to_any_", "camera_1_to_2"):
        assert part in text


def test_re_ranked_figures_have_columns_of_their_own_that_say_so():
    content = results({"all_single": setting(reranked=True)})
    text, markdown = printed(content), results_markdown(content)
    header = next(line for line in markdown.splitlines() if line.startswith("| setting"))
    assert header.endswith("| gallery | re-ranked r1 | re-ranked mAP | re-ranked mINP |")
    row = next(line for line in markdown.splitlines() if line.startswith("| all_single"))
    assert row.split(" | ")[1:6] == ["50.00 ± 1.25"] * 5
    assert row.endswith(f"| 112{' | 61.10 ± 1.25' * 3} |")
    line = next(line for line in text.splitlines() if " all_single " in line)
    left, right = line.split("│")
    assert left.split() == ["all_single", *["50.00"] * 5]
    assert right.split() == ["61.10"] * 3
    ranked = next(line for line in text.splitlines() if "ranked" in line)
    assert ranked.split("│")[1].split() == ["ranked"] * 3
    assert "re-ranked (k1 20, k2 6, weight 0.3): uses the other queries too" in " ".join(text.split())
    assert "all_single: trials 10, queries 2208 of 3803, gallery 112" in text
    assert "no re-ranking" not in text


def test_one_trial_of_ten_cannot_be_misread():
    note = "one trial of ten (trial 3): not comparable with ten-trial means"
    content = results(
        {"visible_to_thermal": setting(std=0.0, trials=1, trials_in_all=10)},
        protocol="regdb", draw="none", direction="both", cmc="images", notes=[note],
    )  # fmt: skip
    text, markdown = printed(content), results_markdown(content)
    assert "±" not in text + markdown
    for words in (note, "one trial: no spread is known", "every image of the gallery"):
        assert words in " ".join(text.split())
        assert words in markdown
    assert "| 1 of 10 | 2208 of 3803 | 112 |" in markdown
    assert "draw" not in markdown
    assert "RGB" not in markdown.splitlines()[0]


def test_the_mixed_gallery_says_what_its_settings_are():
    content = results({"any_to_any": setting(trials=1), "ir_to_any_rgb": setting(trials=1)}, protocol="mixed",
                      draw="none", direction="any", cmc="images")  # fmt: skip
    for text in (printed(content), results_markdown(content)):
        words = " ".join(text.split())
        assert "A_to_any_B: queries of A, RGB and infrared images answer, right answers of B count" in words
        assert "A_to_B: queries of A, images of B alone answer" in words


def test_reverse_direction_and_results_of_before():
    assert "RGB → infrared" in printed(results({"rgb_to_ir_all_single": setting()}, direction="rgb-to-ir"))
    older = results({"all_single": setting()})
    del older["direction"]
    assert "→" not in printed(older)
