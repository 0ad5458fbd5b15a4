"""What stands in one block and what does not, which published results stand where, and what is said of them."""

from __future__ import annotations

import pytest
from compared_runs import CHANCE, write_run

from tapetum.errors import RecipeError
from tapetum.report.comparison import Choice, choice_of, compare
from tapetum.report.comparison_layout import sheet_of
from tapetum.report.comparison_pairs import Resampling

NO_TEST = Resampling(0)
GENERATED = "generated people in sysu_mm01's layout"


def compared(*runs, **choice):
    return compare([str(run) for run in runs], Choice(**{"resampling": NO_TEST, **choice}))


def rows(comparison):
    """(data, setting) -> the names of its rows, ours first."""
    return {
        (block.data, block.setting): (
            [entry.run.name for entry in block.entries],
            [row.method for row in block.published],
        )
        for block in comparison.blocks
    }


def test_runs_of_one_rule_share_a_block(tmp_path):
    found = compared(write_run(tmp_path / "a"), write_run(tmp_path / "b", distance="cosine"))
    (block,) = found.blocks
    assert [entry.run.name for entry in block.entries] == ["a", "b"]
    assert block.rule == "protocol sysu_mm01, draw official, hits among persons, 4 of 5 queries, gallery 40"
    details = [line.details for line in sheet_of(found).sections[0].lines]
    assert details == ["2 trials, euclidean", "2 trials, cosine", ""]


@pytest.mark.parametrize(
    "other",
    [
        {"draw": "agw"},
        {"protocol": "another"},
        {"cmc": "images"},
        {"dataset": GENERATED},
        {"record": {"options": {"trial": 2}}},
        {"setting": {"trials": [{"valid_queries": 4, "queries": 5, "gallery": 41}] * 2}},
        {"setting": {"trials": [{"valid_queries": 3, "queries": 5, "gallery": 40}] * 2}},
        {"names": ["indoor_single"]},
    ],
    ids=lambda other: next(iter(other)),
)
def test_runs_of_another_rule_or_data_stand_in_another_block(tmp_path, other):
    found = compared(write_run(tmp_path / "a"), write_run(tmp_path / "b", **other))
    assert [[entry.run.name for entry in block.entries] for block in found.blocks] == [["a"], ["b"]]


def test_published_results_join_their_own_data_by_the_runs_method(tmp_path):
    record = {"method": "bdtr", "dataset": "sysu_mm01"}
    names = ["all_single", "indoor_multi"]
    found = compared(write_run(tmp_path / "a", record=record, names=names))
    assert rows(found) == {("sysu_mm01", "all_single"): (["a"], ["BDTR"]), ("sysu_mm01", "indoor_multi"): (["a"], [])}
    assert any("published: as printed, not measured here" in remark for remark in found.remarks)
    none = compared(tmp_path / "a", published=["none"])
    assert not any(block.published for block in none.blocks)
    assert not any("published" in remark for remark in none.remarks)


def test_published_results_that_were_asked_for(tmp_path):
    run = write_run(tmp_path / "a", record={"method": "bdtr", "dataset": "sysu_mm01"})
    assert rows(compared(run, published=["AGW", "hicmd"])) == {("sysu_mm01", "all_single"): (["a"], ["Hi-CMD", "AGW"])}
    found = compared(run, published=["TONE"])
    assert rows(found) == {("sysu_mm01", "all_single"): (["a"], [])}
    assert "nothing of TONE is published on these data and settings, as far as the table knows" in found.remarks


def test_generated_people_never_stand_beside_published_results(tmp_path):
    record = {"method": "bdtr", "dataset": "sysu_mm01"}
    run = write_run(tmp_path / "a", record=record, dataset=GENERATED)
    alone = compared(run)
    assert rows(alone) == {(GENERATED, "all_single"): (["a"], [])}
    assert f"{GENERATED}: no published number compares with theirs" in alone.remarks
    asked = compared(run, published=["bdtr"])
    assert rows(asked) == {(GENERATED, "all_single"): (["a"], []), ("sysu_mm01", "all_single"): ([], ["BDTR"])}
    (remark,) = asked.blocks[1].remarks
    assert remark == "different data: no run here was tested on sysu_mm01, so that none compares with these"
    section = sheet_of(asked).sections[1]
    assert (section.title, section.rule) == ("published on sysu_mm01, all_single", "")
    # Beside a run on the real data they join that run's block, and no block of their own is needed.
    real = write_run(tmp_path / "b", record=record)
    both = rows(compared(run, real, published=["bdtr"]))
    assert both == {(GENERATED, "all_single"): (["a"], []), ("sysu_mm01", "all_single"): (["b"], ["BDTR"])}


def test_another_protocol_on_the_same_images_is_not_the_published_one(tmp_path):
    run = write_run(tmp_path / "a", record={"method": "bdtr"}, protocol="query_gallery")
    assert rows(compared(run)) == {("sysu_mm01", "all_single"): (["a"], [])}


def test_single_trials_are_called_so(tmp_path):
    record = {"method": "bdtr", "dataset": "regdb", "options": {"trial": 1}}
    regdb = {"dataset": "regdb", "protocol": "regdb", "draw": "none", "cmc": "images"}
    one = write_run(tmp_path / "a", [(1, 2, 1, 12)], record=record, names=["visible_to_thermal"], **regdb)
    found = compared(one)
    assert found.blocks[0].data == "regdb, trial 1"
    assert "published: means over all trials; a single trial does not compare with them" in found.blocks[0].remarks
    line = sheet_of(found).sections[0].lines[0]
    assert line.details == "one trial"
    assert line.cell("ours", "mAP") == ("64.58", "")  # (1 + 1/2 + 1 + 1/12) / 4, and no spread
    assert not any("±" in remark for remark in found.remarks)


def test_trials_of_a_dataset_that_has_more_are_named(tmp_path):
    def regdb(name, hits, numbers):
        trials = [{"valid_queries": 4, "queries": 4, "gallery": 4, "trial": number} for number in numbers]
        records = [{"dataset": "regdb", "method": "bdtr", "options": {"trial": number}} for number in numbers]
        return write_run(
            tmp_path / name,
            hits,
            names=["visible_to_thermal"],
            dataset="regdb",
            protocol="regdb",
            setting={"trials": trials, "trials_in_all": 10},
            made={"embeddings_record": records, "dataset": "regdb", "options": {"trial": numbers[0]}},
        )

    ten, two = regdb("ten", [(1, 2, 3, 4)] * 10, range(1, 11)), regdb("two", [(1, 2, 3, 4)] * 2, [3, 5])
    found = compared(ten, two)
    assert [block.data for block in found.blocks] == ["regdb", "regdb, trial 3+5"]
    assert [block.entries[0].run.method for block in found.blocks] == ["bdtr", "bdtr"]
    assert [section.lines[0].details for section in sheet_of(found).sections] == ["10 trials", "2 of 10 trials"]
    assert not any("single trial" in remark for remark in found.blocks[0].remarks)
    assert any("single trial" in remark for remark in found.blocks[1].remarks)


def test_queries_of_the_other_side_are_not_the_published_direction(tmp_path):
    usual = write_run(tmp_path / "usual", direction="ir-to-rgb", record={"method": "bdtr"})
    other = write_run(tmp_path / "other", direction="rgb-to-ir", record={"method": "bdtr"})
    blocks = compared(usual, other).blocks
    assert [len(block.published) for block in blocks] == [1, 0]
    assert ["infrared → RGB" in blocks[0].rule, "RGB → infrared" in blocks[1].rule] == [True, True]


def test_different_numbers_of_trials_are_said(tmp_path):
    found = compared(write_run(tmp_path / "a"), write_run(tmp_path / "b", [(1, 2, 1, 12)]))
    assert found.blocks[0].remarks == (
        "the numbers of trials differ: a single trial can lie points away from a mean over ten",
    )


def test_trials_that_all_draw_the_same_images_are_said(tmp_path):
    alike = compared(write_run(tmp_path / "a", hits=((1, 2, 3, 4), (1, 2, 3, 4))))
    assert "every trial draws the same images, so that ± 0.00 says nothing" in alike.blocks[0].remarks
    assert compared(write_run(tmp_path / "b")).blocks[0].remarks == ()


def test_different_folders_of_pictures_are_said(tmp_path):
    runs = [write_run(tmp_path / name, record={"root": f"/data/{name}"}, notes=["a note"]) for name in "ab"]
    assert compared(*runs).blocks[0].remarks == (
        "embedded from /data/a, /data/b: one data only if these hold the same pictures",
        "a note",
    )


def test_chance_stands_once_unless_it_differs(tmp_path):
    first = write_run(tmp_path / "a")
    twins = sheet_of(compared(first, write_run(tmp_path / "b"))).sections[0].lines
    assert [(line.name, line.cell("ours", "mAP")[0]) for line in twins[2:]] == [("by chance", "3.00")]
    other = write_run(tmp_path / "c", setting={"chance": {**CHANCE, "mAP": 0.04}})
    lines = sheet_of(compared(first, other)).sections[0].lines
    assert [(line.name, line.cell("ours", "mAP")[0]) for line in lines[2:]] == [
        ("by chance: a", "3.00"),
        ("by chance: c", "4.00"),
    ]


def test_reranked_figures_have_columns_of_their_own(tmp_path):
    better = {name: min(1.0, 2 * value) for name, value in CHANCE.items()}
    again = {"mean": better, "std": dict.fromkeys(better, 0.001), "k1": 20, "k2": 6, "weight": 0.3}
    found = compared(write_run(tmp_path / "a", setting={"reranked": again}), published=["MCJA", "AGW"])
    sheet = sheet_of(found)
    assert [(group.title, group.figures) for group in sheet.groups] == [
        ("ours", ("r1", "r10", "r20", "mAP", "mINP")),
        ("ours, re-ranked", ("r1", "r10", "r20", "mAP", "mINP")),
        ("published", ("r1", "r10", "mAP", "mINP")),
        ("published, re-ranked", ("r1", "mAP")),
    ]
    run, _, agw, mcja = sheet.sections[0].lines
    # APs 1 1/2 1 1/12 and 1 1 1/30 1/7: 64.58 and 54.40, 59.49 on average and 5.09 from it.
    assert run.cell("ours", "mAP") == ("59.49", "5.09")
    assert run.cell("ours, re-ranked", "mAP") == ("6.00", "0.10")
    assert mcja.cell("published, re-ranked", "r1") == ("89.51", "")
    assert mcja.cell("published", "r1") == agw.cell("published, re-ranked", "r1") == ("", "")
    assert "a, re-ranked: k-reciprocal, k1 20, k2 6, weight 0.3" in found.remarks


def test_a_figure_never_stands_in_anothers_column(tmp_path):
    found = compared(write_run(tmp_path / "a"), published=["all"])
    for line in sheet_of(found).sections[0].lines:
        ours = any(group.startswith("ours") for group in line.cells)
        assert ours == (line.kind in ("run", "chance"))
        assert any(group.startswith("published") for group in line.cells) == (line.kind == "published")


def test_settings_and_metrics_can_be_chosen(tmp_path):
    run = write_run(tmp_path / "a", names=["all_single", "indoor_single", "all_multi"])
    found = compare([str(run)], choice_of(["all_multi", "all_single"], ["mINP", "r5"], None, 0, 1))
    assert [block.setting for block in found.blocks] == ["all_single", "all_multi"]
    assert [group.figures for group in sheet_of(found).groups] == [("mINP", "r5")]
    assert choice_of(None, None, None, 7, 3) == Choice(resampling=Resampling(7, 3))
    assert choice_of(None, ["r20"], ["AGW"], 7, 3).tested == ("r20",)
    assert choice_of(None, ["map", "R1"], None, 7, 3).metrics == ("mAP", "r1")
    with pytest.raises(RecipeError, match=r"has the setting 'all_singel'\. Did you mean 'all_single'\?"):
        compared(run, settings=["all_singel"])
    with pytest.raises(RecipeError, match=r"no metric is called 'r11'\. Did you mean 'r1'\?"):
        compared(run, metrics=["r11"])
    with pytest.raises(RecipeError, match="no published result is of"):
        compared(run, published=["nobody"])
