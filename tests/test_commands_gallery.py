"""Galleries from the command line, from the first crop to the last trace; and what each command refuses."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import tapetum
from small_model import write_model
from tapetum.cli import app
from tapetum.console import run_command_line
from tapetum.data.sysu_mm01 import read
from tapetum.embedding import embed_dataset
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.indexing import Beginning, index
from tapetum.gallery.sources import Given

SOURCE = str(Path(tapetum.__file__).parents[1])


def say(line: str, capsys) -> tuple[int, str, str]:
    """Run one command line; returns exit code, standard output, standard error."""
    argv, sys.argv = sys.argv, ["tapetum", *shlex.split(line)]
    try:
        with pytest.raises(SystemExit) as stop:
            run_command_line(app)
    finally:
        sys.argv = argv
    said = capsys.readouterr()
    return int(stop.value.code or 0), said.out, said.err


@pytest.fixture(scope="module")
def place(tiny_sysu, tmp_path_factory) -> Path:
    """run/ with a model and embeddings of the test persons, and a table t.csv of persons 12 and 13."""
    folder = tmp_path_factory.mktemp("place")
    write_model(folder / "run")
    embed_dataset(folder / "run", read(tiny_sysu), "test", folder / "run" / "embeddings.parquet", workers=0)
    lines = ["path,person,camera,site,modality,time"]
    for person in (12, 13):
        for camera in "1236":
            light = "ir" if camera in "36" else "rgb"
            for shot in (1, 2):
                path = tiny_sysu / f"cam{camera}" / f"{person:04d}" / f"{shot:04d}.jpg"
                lines.append(f"{path},{person},c{camera},site{camera},{light},2026-05-0{camera}T12:00:0{shot}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    beginning = Beginning(folder / "run", engine="exact")
    index(folder / "g", [folder / "t.csv"], Given(), beginning, workers=0)
    return folder


@pytest.fixture
def gallery(place, tmp_path, monkeypatch):
    """The current folder, with a copy of the gallery g of t.csv."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(place / "g", "g")
    return tmp_path


def test_index_begins_a_gallery_with_the_usual_engine(place, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = say(f"index new {place}/t.csv --model {place}/run", capsys)
    assert (code, out) == (0, "16 crops added; 0 there before, 0 duplicates, 0 broken. new holds 16 crops.\n"), err
    assert re.search("engine +edge", say("gallery info new", capsys)[1])


def test_index_goes_on_and_lists_what_is_broken(gallery, place, tiny_sysu, capsys):
    (gallery / "more").mkdir()
    shutil.copy(tiny_sysu / "cam1" / "0012" / "0001.jpg", gallery / "more" / "copy.jpg")
    (gallery / "more" / "cut.jpg").write_bytes((tiny_sysu / "cam1" / "0014" / "0001.jpg").read_bytes()[:300])
    shutil.copy(tiny_sysu / "cam1" / "0014" / "0001.jpg", gallery / "more" / "new.jpg")
    code, out, err = say("index g more --modality rgb --camera gate --site yard --workers 0", capsys)
    assert code == 0
    assert out == "1 crop added; 0 there before, 1 duplicates, 1 broken. g holds 17 crops.\n"
    assert re.search(r"tapetum: left out: \S+/more/cut.jpg is damaged", err)
    assert re.search(r"tapetum: passed over: \S+/more/copy.jpg is crop 1, byte for byte", err)
    code, out, _ = say(f"index g more {place}/run/embeddings.parquet --modality rgb --workers 0", capsys)
    assert out == "43 crops added; 17 there before, 2 duplicates, 1 broken. g holds 60 crops.\n"


def test_info_and_verify(gallery, capsys):
    code, out, _ = say("gallery info g", capsys)
    assert code == 0
    for text in (
        r"crops +16 \(ir 8, rgb 8\)",
        r"persons with a label +2",
        "2026-05-01 12:00:01 to 2026-05-06",
        "c6 +site6 +4",
    ):
        assert re.search(text, out), text
    assert "calibrated" in out
    assert "not calibrated" not in out
    code, out, _ = say("gallery verify g", capsys)
    assert (code, out[:23]) == (0, "g is whole: 16 crops in")
    path = next(Path("g/segments").glob("*.vectors"))
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\0")
    code, out, err = say("gallery verify g", capsys)
    assert (code, out) == (2, "")
    assert f"tapetum: {path} is not what was written" in err


def ranks(out: str) -> list[tuple[int, int]]:
    """(rank, id) of each line of a ranked list."""
    return [
        (int(rank), int(number)) for rank, number in re.findall(r"^ *(\d+) +(\d+) +-?[01]\.\d{3} ", out, re.MULTILINE)
    ]


def test_search_with_filters(gallery, tiny_sysu, capsys):
    query = tiny_sysu / "cam3" / "0012" / "0001.jpg"
    code, out, err = say(f"search {query} --gallery g -k 5", capsys)
    assert code == 0, err
    assert [rank for rank, _ in ranks(out)] == [1, 2, 3, 4, 5]
    assert re.search(r"Exact: every crop that the filter admits was compared. Of 100 first answers .* are wrong", out)
    assert Image.open("search.png").width > 500
    _, out, _ = say(f"search {query} --gallery g --among all --camera c3 --camera c6 -k 20", capsys)
    assert sorted(number for _, number in ranks(out)) == [6, 7, 8, 13, 14, 15, 16]  # 5 asks and does not answer
    _, out, _ = say(f"search {query} --gallery g --since 2026-05-01T12:00:02 --until 2026-05-02T12:00:02", capsys)
    assert sorted(number for _, number in ranks(out)) == [2, 3, 10, 11]
    _, out, _ = say(f"search {query} --gallery g --site nowhere", capsys)
    assert ranks(out) == []
    assert "No crop was admitted" in out


def test_rgb_asks_and_infrared_answers_and_several_crops_ask_as_one(gallery, tiny_sysu, capsys):
    queries = f"{tiny_sysu}/cam1/0013/0001.jpg {tiny_sysu}/cam2/0013/0002.jpg"
    code, out, _ = say(f"search {queries} --gallery g --modality rgb --among ir -k 3", capsys)
    assert (code, out.count("Exact")) == (0, 2)
    assert {number for _, number in ranks(out)} <= {5, 6, 7, 8, 13, 14, 15, 16}
    code, out, _ = say(f"search {queries} --gallery g --modality rgb --among ir -k 3 --fuse --fold 60", capsys)
    assert (code, out.count("Exact")) == (0, 1)
    assert "and 1 more of the same person" in out
    assert "measured for single pictures, and several were fused" in out


def test_forget_leaves_no_byte_and_says_so(gallery, capsys):
    code, out, _ = say("gallery forget g --person 12 --dry-run", capsys)
    assert (code, out) == (0, "8 crops would be forgotten.\n")
    code, out, _ = say("gallery forget g --person 12", capsys)
    assert code == 0
    assert re.match(
        r"8 crops forgotten: 16 before, 8 now. Proof: 32 vectors.* files \([\d,]+ bytes\), and 0 were found", out
    )
    assert not [path for path in Path("g").rglob("*") if path.is_file() and b"/0012/" in path.read_bytes()]
    _, out, _ = say("audit show g --last 2", capsys)
    assert '"action": "forget"' in out
    assert '"action": "forgotten"' in out
    assert "12" not in re.sub(r'"(time|crops_\w+|number|files|bytes|sought)": [^,]+', "", out)
    code, out, _ = say("gallery forget g --person 12", capsys)
    assert (code, out) == (0, "No crop is chosen by that; nothing is removed.\n")


def test_delete_retain_rebuild_export(gallery, capsys):
    assert say("gallery delete g 1 2", capsys)[:2] == (0, "2 crops removed; g holds 14 crops.\n")
    code, out, _ = say("gallery retain g --older-than 0 --camera c6 --dry-run", capsys)
    assert out in ("4 crops would be forgotten.\n", "0 crops would be forgotten.\n")  # by the machine's clock
    assert say("gallery retain g --older-than 36500", capsys)[1].startswith("No crop is chosen")
    assert say("gallery rebuild g", capsys)[:2] == (0, "The index of g has 14 crops.\n")
    assert say("gallery export g --output g.csv", capsys)[:2] == (0, "14 crops are in g.csv.\n")
    assert len(Path("g.csv").read_text().splitlines()) == 15
    assert say("gallery export g -o g.parquet", capsys)[0] == 0
    code, out, _ = say("index h g.parquet --engine exact --workers 0", capsys)
    assert (code, out.splitlines()[0]) == (
        0,
        "14 crops added; 0 there before, 0 duplicates, 0 broken. h holds 14 crops.",
    )


def test_migrate(gallery, capsys):
    write_model(Path("second"), seed=1)
    code, out, err = say("gallery migrate g --model second --workers 0", capsys)
    assert code == 0, err
    assert "16 crops are embedded by second in g." in out
    assert "To forget does not reach it." in out
    assert "not calibrated" in say("gallery info g", capsys)[1]
    assert say("audit verify g", capsys)[1].startswith("The audit log is whole: 2 entries. Head: 2:")


def test_keys_and_audit(gallery, capsys):
    assert "There is no key" in say("key list g", capsys)[1]
    code, key, _ = say("key add g reception --role search", capsys)
    assert (code, len(key)) == (0, 44)
    assert re.search("reception +search", say("key list g", capsys)[1])
    assert say("key revoke g reception", capsys)[:2] == (0, "The key 'reception' is refused from now on.\n")
    code, out, _ = say("audit verify g", capsys)
    assert code == 0
    head = out.split("Head: ")[1].strip()
    assert say(f"audit verify g --head {head}", capsys)[0] == 0
    log = Path("g/audit/log.jsonl")
    assert key.strip() not in log.read_text()
    log.write_text(log.read_text().replace("reception", "deception", 1))
    code, _, err = say("audit verify g", capsys)
    assert code == 2
    assert "log.jsonl, line 2 is not what was written" in err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("index new {place}/t.csv", "pictures need a model. Pass the run with --model"),
        ("index g nothing", "nothing does not exist"),
        ("index g {place}/t.csv --model second", "gallery migrate g --model second"),
        ("index g {place}/t.csv --engine fast", "no engine is called 'fast'"),
        ("index g {place}/t.csv --engine edge", "has the engine exact"),
        ("index {place} {place}/t.csv --model {place}/run", "is not an empty folder"),
        ("gallery info nothing", "nothing holds no gallery"),
        ("gallery forget g", "which crops?"),
        ("gallery forget g --since yesterday", "--since yesterday is no time"),
        ("gallery forget g --since 2026-05-01T00:00+02:00", "has a time zone"),
        ("gallery delete g 99", "has the id 99"),
        ("gallery retain g --older-than 1 --camera door", "no crop of camera 'door'"),
        ("gallery export g -o g.txt", "neither .parquet"),
        ("search q.jpg --gallery g", "q.jpg does not exist"),
        ("search {place}/t.csv --gallery g", "is not a picture"),
        ("search {picture} --gallery g --model {place}/run", "--model says nothing beside a gallery"),
        ("search {picture} --gallery {place}/run/embeddings.parquet", "pass the run that made it with --model"),
        ("search {picture} --gallery {place}/run/embeddings.parquet --camera 1", "--camera says nothing beside a file"),
        ("search {picture} --gallery g --among both", "--among both names no crops"),
        ("key add g x --role root", "no role is called 'root'"),
        ("key revoke g x", "no valid key is called 'x'"),
        ("key list nothing", "nothing holds no gallery"),
        ("audit verify g --head 3", "'3' is no head"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence(gallery, place, tiny_sysu, capsys, line, sentence):
    write_model(Path("second"), seed=1)
    before = sorted(str(path) for path in Path("g").rglob("*"))
    picture = tiny_sysu / "cam3" / "0012" / "0001.jpg"
    code, out, err = say(line.format(place=place, picture=picture), capsys)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert sentence in err
    assert sorted(str(path) for path in Path("g").rglob("*") if path.suffix != ".lock") == before
    assert not Path("new").exists()


def test_a_gallery_in_use_is_told(gallery, capsys):
    holder = "import sys, time; from pathlib import Path; from tapetum.gallery.gallery import Gallery\n"
    holder += "gallery = Gallery.open(Path('g')); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", holder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": SOURCE},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        code, _, err = say("gallery info g", capsys)
        other.communicate()
    assert code == 2
    assert "g is in use by another process" in err
    with Gallery.open(Path("g")) as opened:
        assert len(opened.segments) == 16


def test_vectors_alone_make_a_gallery_that_embeds_nothing(place, tmp_path, monkeypatch, tiny_sysu, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, _ = say(f"index v {place}/run/embeddings.parquet --engine exact --workers 0", capsys)
    assert (code, out.splitlines()) == (
        0,
        [
            "60 crops added; 0 there before, 0 duplicates, 0 broken. v holds 60 crops.",
            "What its scores mean is not known: see --calibrate.",
        ],
    )
    picture = tiny_sysu / "cam3" / "0012" / "0001.jpg"
    for line in (f"search {picture} --gallery v", f"index v {picture} --modality ir"):
        code, _, err = say(line, capsys)
        assert code == 2
        assert "v was made from vectors and has no model" in err
    code, out, _ = say(f"index v {place}/run/embeddings.parquet --calibrate {place}/run --workers 0", capsys)
    assert out == "0 crops added; 60 there before, 0 duplicates, 0 broken. v holds 60 crops.\n"


def test_a_service_with_keys_is_asked_with_one(gallery, tiny_sysu, monkeypatch, capsys):
    monkeypatch.setattr("tapetum.gallery.gallery.service_of", lambda folder: "http://127.0.0.1:9")
    query = tiny_sysu / "cam3" / "0012" / "0001.jpg"
    code, _, err = say(f"search {query} --gallery g", capsys)
    assert (code, "no service answers at http://127.0.0.1:9" in err) == (2, True)
    say("key add g reception", capsys)
    code, out, err = say(f"search {query} --gallery g", capsys)
    assert (code, out) == (2, "")
    assert "holds g and asks for a key. Pass it with --key." in err
