"""Each format holds the same figures in the same columns, survives odd names, and says what cannot be compared."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter

import pytest
from compared_runs import write_run
from rich.console import Console
from test_page import Page

from tapetum.cli import main
from tapetum.errors import RecipeError
from tapetum.report.comparison import Choice, compare
from tapetum.report.comparison_csv import comparison_csv
from tapetum.report.comparison_formats import chosen_format, written
from tapetum.report.comparison_page import comparison_page
from tapetum.report.comparison_pairs import Resampling
from tapetum.report.comparison_terminal import render_comparison
from tapetum.report.comparison_text import comparison_latex, comparison_markdown

OTHER = ((2, 2, 1, 12), (1, 1, 30, 7))
ODD = r"a|b_&<i>%\x"


@pytest.fixture
def comparison(tmp_path):
    """Two runs on SYSU-MM01, one of an odd name and re-ranked, one on other data, and published results."""
    figures = {"r1": 0.5, "r5": 0.6, "r10": 0.7, "r20": 0.8, "mAP": 0.612345678, "mINP": 0.3}
    again = {"mean": figures, "std": dict.fromkeys(figures, 0.01), "k1": 20, "k2": 6, "weight": 0.3}
    record = {"method": "bdtr", "dataset": "sysu_mm01"}
    runs = [
        f"{ODD}={write_run(tmp_path / 'one', record=record, setting={'reranked': again})}",
        f"second={write_run(tmp_path / 'two', OTHER)}",
        f"third={write_run(tmp_path / 'three', [(1, 1, 2, 4)], dataset='mine', protocol='query_gallery', draw='none')}",
    ]
    return compare(runs, Choice(published=["AGW", "MCJA"], resampling=Resampling(200, 5)))


def printed(comparison, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(render_comparison(comparison), markup=False, highlight=False)
    return console.file.getvalue()


def test_the_terminal_shows_groups_beside_each_other_where_they_fit(comparison):
    lines = printed(comparison, 160).splitlines()
    assert max(map(len, lines)) <= 160
    (head,) = [line for line in lines if "published, re-ranked" in line]
    groups = [part.strip() for part in head.split("│")[1:]]
    assert groups == ["ours", "ours, re-ranked", "published", "published, re-ranked"]
    cells = {
        line.split("│")[0].strip(): [part.split() for part in line.split("│")[1:]] for line in lines if "│" in line
    }
    again = ["50.00", "70.00", "80.00", "61.23", "30.00"]
    assert cells[ODD] == [["50.00", "75.00", "87.50", "59.49", "29.75"], again, [], []]
    assert cells["AGW"] == [[], [], ["47.50", "84.39", "47.65", "35.30"], []]
    assert cells["MCJA"] == [[], [], [], ["89.51", "87.58"]]
    assert cells["third"] == [["50.00", "100.00", "100.00", "68.75", "34.38"]]
    assert "- AGW: its authors' repository" in lines


@pytest.mark.parametrize("width", [60, 80])
def test_a_narrow_terminal_shows_them_below_each_other_and_cuts_no_number(comparison, width):
    text = printed(comparison, width)
    assert max(map(len, text.splitlines())) <= width
    assert [line.split("│")[1].strip() for line in text.splitlines() if "│ ours" in line or "│ published" in line] == [
        "ours", "ours, re-ranked", "published", "published, re-ranked", "ours",
    ]  # fmt: skip
    for figure in ("100.00", "59.49", "±5.09", "61.23", "47.65", "87.58", "68.75"):
        assert figure in text
    assert not re.search(r"\S…", text)  # what rich cuts ends so; intervals have a space before the sign


def test_the_terminal_tells_the_test_in_one_sentence(comparison):
    words = " ".join(printed(comparison, 200).split())
    sentence = rf"{re.escape(ODD)} − second = 6\.25 mAP in all_single, 95 % interval (\S+ … \S+) over 4 queries, (\S+ … \S+) over 3 persons \(200 resamples, seed 5\)\."  # noqa: E501
    assert re.search(sentence, words)
    assert f"- {ODD} and third are not paired: the data is 'sysu_mm01' in one and 'mine' in the other" in words


def unescaped(row):
    return [cell.strip().replace("\\", "") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def test_markdown_is_one_table_with_as_many_cells_in_every_row(comparison):
    text = comparison_markdown(comparison)
    table, rest = text.split("\n\n", 1)
    rows = [unescaped(row) for row in table.splitlines()]
    assert {len(row) for row in rows} == {len(rows[0])}
    header = rows[0]
    by_name = {row[0]: dict(zip(header, row, strict=True)) for row in rows[2:]}
    run = by_name[ODD.replace("\\", "")]
    assert (run["ours mAP"], run["ours, re-ranked mAP"], run["published mAP"]) == ("59.49 ± 5.09", "61.23 ± 1.00", "")
    assert (by_name["AGW"]["published mAP"], by_name["AGW"]["ours mAP"]) == ("47.65", "")
    assert by_name["AGW"]["source"] == "its authors' repository"
    assert by_name["MCJA"]["published, re-ranked r1"] == "89.51"
    assert by_name["third"]["how"] == "one trial"
    assert any(name.startswith("**mine, all_single**, protocol query_gallery") for name in by_name)
    assert "| all_single | mAP | 6.25 |" in rest
    assert "are not paired" in rest


def test_latex_rows_are_complete_and_escaped(comparison):
    text = comparison_latex(comparison)
    assert text.count("{") == text.count("}")  # escaped ones come in pairs here
    for table in re.findall(r"\\begin\{table\}.*?\\end\{table\}", text, re.DOTALL):
        columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", table).group(1))
        for row in re.findall(r"^.*\\\\$", table, re.MULTILINE):
            spans = [int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            assert len(re.findall(r"(?<!\\)&", row)) + 1 + sum(spans) == columns, row
        assert re.search(r"(?<!\\)[_#^~<>]", re.sub(r"\$.\$", "", table)) is None
        assert all(part.count("\\toprule") == part.count("\\bottomrule") == 1 for part in [table])
    assert r"a|b\_\&$<$i$>$\%\textbackslash{}x & 2 trials & 50.00\,{\scriptsize$\pm$\,0.00}" in text
    assert r"\multicolumn{5}{c}{ours} & \multicolumn{5}{c}{ours, re-ranked} & \multicolumn{4}{c}{published}" in text
    assert r"\cmidrule(lr){3-7} \cmidrule(lr){8-12} \cmidrule(lr){13-16} \cmidrule(lr){17-18}" in text
    assert text.isascii()


def test_csv_has_every_figure_in_full(comparison):
    rows = list(csv.DictReader(io.StringIO(comparison_csv(comparison))))
    kinds = Counter(row["kind"] for row in rows)
    assert kinds == {
        "ours": 3, "ours re-ranked": 1, "chance": 3, "published": 1, "published re-ranked": 1,
        "difference over queries": 1, "difference over persons": 1,
    }  # fmt: skip
    ours = rows[0]
    again = next(row for row in rows if row["kind"] == "ours re-ranked")
    assert (ours["name"], ours["dataset"], ours["setting"], ours["draw"]) == (
        ODD,
        "sysu_mm01",
        "all_single",
        "official",
    )
    mean = comparison.blocks[0].entries[0].figures.mean
    assert float(ours["mAP"]) == 100 * mean.mAP
    assert float(ours["r5"]) == 100 * mean.r5  # also what the tables do not show
    assert (ours["trials"], ours["valid_queries"], ours["queries"], ours["gallery"]) == ("2", "4", "5", "40")
    assert float(again["mAP"]) == pytest.approx(61.2345678, abs=1e-12)
    assert again["remark"] == "k1 20, k2 6, weight 0.3"
    third = next(row for row in rows if row["name"] == "third" and row["kind"] == "ours")
    assert third["mAP_sd"] == ""  # one trial
    agw = next(row for row in rows if row["name"] == "AGW")
    assert (agw["r1"], agw["r20"], agw["year"], agw["evidence"], agw["draw"]) == ("47.50", "", "2021", "readme", "")
    queries, persons = rows[-2:]
    assert (queries["units"], persons["units"]) == ("4", "3")
    assert float(queries["mAP"]) == pytest.approx(6.25)
    assert float(queries["mAP_low"]) <= 6.25 <= float(queries["mAP_high"])
    assert 0 < float(queries["r1_p"]) <= 1


def test_csv_writes_a_published_row_once_that_stands_beside_two_draws(tmp_path):
    runs = [str(write_run(tmp_path / draw, draw=draw)) for draw in ("official", "agw")]
    found = compare(runs, Choice(published=["AGW"], resampling=Resampling(0)))
    assert [len(block.published) for block in found.blocks] == [1, 1]
    assert Counter(row["kind"] for row in csv.DictReader(io.StringIO(comparison_csv(found))))["published"] == 1


def test_the_page_holds_everything_and_loads_nothing(comparison):
    text = comparison_page(comparison)
    page = Page(text)
    assert page.open == []
    names = Counter(attributes["id"] for _, attributes in page.elements if "id" in attributes)
    assert max(names.values()) == 1
    assert not re.search(r"@import|url\(\s*[^#)]|<script|https?://(?!www\.w3\.org)", text)
    assert "<i>" not in text.replace("&lt;i&gt;", "")
    row = next(cells for cells in page.table if cells[0].startswith(ODD))
    assert row == [
        f"{ODD} 2 trials", "50.00 ± 0.00", "75.00 ± 0.00", "87.50 ± 12.50", "59.49 ± 5.09", "29.75 ± 2.54",
        "50.00 ± 1.00", "70.00 ± 1.00", "80.00 ± 1.00", "61.23 ± 1.00", "30.00 ± 1.00", *[""] * 7,
    ]  # fmt: skip
    assert next(cells for cells in page.table if cells[0].startswith("MCJA"))[-3:-1] == ["89.51", "87.58"]
    assert "are not paired" in page.text
    (pictured, tested) = page.all("svg", "")[1:]
    assert pictured["aria-label"].startswith(f"sysu_mm01, all_single. {ODD}, ours: 59.49 %")
    assert "AGW, published: 47.65 %" in pictured["aria-label"]
    assert f"Paired differences {ODD} − second" in tested["aria-label"]
    assert comparison_page(comparison) == text


@pytest.mark.parametrize(
    ("name", "output", "found"),
    [
        (None, None, "terminal"),
        ("csv", None, "csv"),
        (None, "x.md", "markdown"),
        (None, "x.TEX", "latex"),
        (None, "x.html", "html"),
        ("latex", "x.txt", "latex"),
    ],
)
def test_the_format_is_named_or_told_by_the_file(tmp_path, name, output, found):
    assert chosen_format(name, output and tmp_path / output) == found


def test_unknown_formats_are_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"no format is called 'cvs'\. Did you mean 'csv'\?"):
        chosen_format("cvs", None)
    with pytest.raises(RecipeError, match="in which format"):
        chosen_format(None, tmp_path / "table")
    with pytest.raises(RecipeError, match="in which format"):
        chosen_format("terminal", tmp_path / "table.md")


@pytest.fixture
def say(monkeypatch, capsys, tmp_path):
    """Run a command line in `tmp_path`: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["tapetum", "compare", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        return (stopped.value.code or 0, *capsys.readouterr())

    return run


def test_the_command(say, tmp_path):
    write_run(tmp_path / "a"), write_run(tmp_path / "b", OTHER)
    code, out, _ = say("a", "b", "--resamples", "100", "--published", "AGW", "--output", "table.md")
    assert code == 0
    assert "a − b: paired test" in out
    assert out.endswith("The comparison is in table.md.\n")
    assert "47.65" in (tmp_path / "table.md").read_text()
    code, out, _ = say("a", "b", "--format", "csv", "--metric", "mAP", "--resamples", "100", "--seed", "4")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert rows[-1]["mAP_p"]
    assert rows[-1]["r1_p"] == ""
    assert written(compare(["a"], Choice(resampling=Resampling(0))), "csv") == say("a", "--format", "csv")[1]


def test_the_command_refuses_with_one_line(say, tmp_path):
    write_run(tmp_path / "a")
    for words, said in [
        (["nowhere"], "tapetum: nowhere does not exist. Give a file of results, or a run that holds one."),
        (["a", "--setting", "x"], "tapetum: none of the results has the setting 'x'. Known: all_single."),
        (["a", "--output", "x"], "tapetum: --output x: in which format?"),
        (["a", "--output", "a", "--format", "csv"], "tapetum: a is a folder, and a file is to be written there."),
    ]:
        code, out, err = say(*words)
        assert (code, out) == (2, "")
        assert err.startswith(said)
        assert err.count("\n") == 1
