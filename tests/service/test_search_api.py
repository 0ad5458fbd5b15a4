"""POST /api/search: who answers whom, what the answer says, and what is refused with which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from api_calls import logged, picture, search

from tapetum.gallery.gallery import Gallery
from tapetum.gallery.pictures import content_of

CALIBRATION = {"score": [-1.0, 1.0], "probability": [0.0, 1.0], "answers": 40}  # p = (1 + score) / 2
BEGAN = "2026-03-01T08:{:02d}:00"


def hits(client, files=(), **fields):
    answer = search(client, files, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["hits"]


def test_a_crop_of_the_gallery_finds_itself_and_the_answer_says_all(client, tiny_sysu):
    answer = search(client, [picture(tiny_sysu, 2)], modality="rgb", among="rgb", k=3).json()
    assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3]
    first = answer["hits"][0]
    assert first["path"].endswith("cam2/0012/0001.jpg")
    assert first["score"] == pytest.approx(1, abs=1e-5)
    assert (first["camera"], first["site"], first["modality"], first["folded"]) == ("2", "site 0", "rgb", [])
    assert first["time"].startswith("2026-03-01T08:")
    assert answer["how"] == "exact"
    assert answer["took"]["embed_ms"] > 0 < answer["took"]["search_ms"]
    assert first["probability"] is None is answer["first_is_wrong"]
    assert answer["meaning"] == "What these scores mean has not been measured for this gallery."
    assert sorted((hit["score"] for hit in answer["hits"]), reverse=True) == [hit["score"] for hit in answer["hits"]]
    thumbnail = client.get(first["thumbnail"])
    assert thumbnail.headers["content-type"] == "image/jpeg"
    assert thumbnail.content.startswith(b"\xff\xd8\xff")
    entry = logged(client.app.state.service.gallery.folder)[-1]
    assert (entry["action"], entry["who"], entry["search"]) == ("search", "local", answer["search"])
    assert entry["found"] == [hit["id"] for hit in answer["hits"]]
    assert entry["query"] == [content_of(picture(tiny_sysu, 2)[1])]
    assert (entry["filter"], entry["k"], entry["how"]) == ({"modalities": ["rgb"]}, 3, "exact")


@pytest.mark.parametrize(
    ("fields", "cameras", "count"),
    [
        ({"among": "rgb"}, set("1245"), 40),
        ({"among": "ir"}, set("36"), 20),
        ({"among": "all"}, set("123456"), 60),
        ({"cameras": ["1", "6"]}, set("16"), 20),
        ({"sites": ["site 0"]}, set("246"), 30),
        ({"sites": ["site 0"], "cameras": ["1"]}, set(), 0),
        ({"cameras": ["nobody's"]}, set(), 0),
        ({"since": BEGAN.format(10), "until": BEGAN.format(20)}, None, 10),  # minutes 10 ... 19: one crop each
        ({"until": BEGAN.format(0)}, set(), 0),
    ],
)
def test_only_those_asked_for_answer(client, tiny_sysu, fields, cameras, count):
    found = hits(client, [picture(tiny_sysu, 3)], k=200, **fields)
    assert len(found) == count
    assert cameras is None or {hit["camera"] for hit in found} == cameras


def test_several_pictures_are_one_query(client, tiny_sysu):
    both = [picture(tiny_sysu, 1), picture(tiny_sysu, 1, person=14)]
    apart = [{hit["id"]: hit["score"] for hit in hits(client, [one], modality="rgb", k=60)} for one in both]
    fused = {hit["id"]: hit["score"] for hit in hits(client, both, modality="rgb", k=60)}
    # cos(g, unit(a + b)) = (cos(g, a) + cos(g, b)) / |a + b|: the same factor for every g
    ratios = [fused[number] / (apart[0][number] + apart[1][number]) for number in fused]
    assert ratios == pytest.approx([ratios[0]] * 60, rel=1e-3)


def test_crops_ask_without_answering_and_marks_move_the_query(client):
    everyone = {hit["id"] for hit in hits(client, ids=[1], k=60)}
    assert len(everyone) == 59
    assert 1 not in everyone
    first, *_, last = hits(client, ids=[1], k=60)
    marked = hits(client, ids=[1], right=[last["id"]], wrong=[first["id"]], k=60)
    assert first["id"] not in {hit["id"] for hit in marked}
    rank = {hit["id"]: hit["rank"] for hit in marked}
    assert rank[last["id"]] < 20 < last["rank"]


def test_frames_of_one_walk_are_folded(serving):
    client = serving()
    store, segments = client.app.state.service.gallery.store, client.app.state.service.gallery.segments
    (row,), vector = segments.view[0].rows(segments.view[0].places([7])), segments.vectors([7])
    later = replace(row, id=1000, time=row.time + timedelta(seconds=5), content="")
    store.add([later], vector, [None])
    (plain,) = [hit for hit in hits(client, ids=[7], k=60) if hit["id"] == 1000]
    assert plain["thumbnail"] is None
    folded = hits(client, ids=[8], k=60, fold_seconds=10)
    (head,) = [hit for hit in folded if hit["id"] == 7]
    assert head["folded"] == [1000]
    assert len(folded) == 59  # of 61, the asking crop and the folded one are not listed


def test_a_score_means_what_the_calibration_says_where_it_applies(serving, folder, tiny_sysu):
    with Gallery.open(folder) as gallery:
        gallery.set_calibration(CALIBRATION)
    client = serving()
    asked = [picture(tiny_sysu, 3)]
    answer = search(client, asked, modality="ir", among="rgb", k=2).json()
    for hit in answer["hits"]:
        assert hit["probability"] == pytest.approx((1 + hit["score"]) / 2, abs=1e-4)
    assert answer["first_is_wrong"] == pytest.approx(1 - answer["hits"][0]["probability"], abs=1e-4)
    wrong = round(100 * answer["first_is_wrong"])
    assert f"about {wrong} are wrong (fitted on 40 answers" in answer["meaning"]
    for other, why in [
        (search(client, asked, modality="ir", among="all"), "between infrared and visible"),
        (search(client, asked, modality="rgb", among="rgb"), "between infrared and visible"),
        (search(client, asked * 2, modality="ir", among="rgb"), "several were fused"),
        (search(client, asked, modality="ir", among="rgb", right=[1]), "After marks"),
    ]:
        assert other.json()["first_is_wrong"] is None
        assert {hit["probability"] for hit in other.json()["hits"]} == {None}
        assert why in other.json()["meaning"]
    nothing = search(client, asked, modality="ir", among="rgb", cameras=["x"]).json()
    assert (nothing["hits"], nothing["first_is_wrong"]) == ([], None)
    assert client.get("/api/gallery").json()["calibrated"] is True


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 422, "nothing asks. Give a picture, or the id of a crop"),
        ({"ids": [999]}, 404, "no crop of the gallery has the id 999"),
        ({"ids": [1], "right": [998]}, 404, "the id 998"),
        ({"ids": [1], "k": 201}, 422, "k: Input should be less than or equal to 200 (given '201')"),
        ({"ids": [1], "k": 0}, 422, "k: Input should be greater than or equal to 1"),
        ({"ids": [1], "k": 10**30}, 422, "k: "),
        ({"ids": [0]}, 422, "ids.0: Input should be greater than or equal to 1"),
        ({"ids": [2**63]}, 422, "ids.0: "),
        ({"ids": [1] * 201}, 422, "ids: List should have at most 200 items"),
        ({"ids": [1], "fold_seconds": "nan"}, 422, "fold_seconds: Input should be a finite number"),
        ({"ids": [1], "fold_seconds": "-1"}, 422, "fold_seconds: "),
        ({"ids": [1], "among": "both"}, 422, "among: Input should be 'rgb', 'ir' or 'all' (given 'both')"),
        ({"ids": [1], "modality": "xray"}, 422, "modality: "),
        ({"ids": [1], "camera": "1"}, 422, "camera: Extra inputs are not permitted"),
        ({"ids": [1], "cameras": ["x" * 201]}, 422, "cameras.0: "),
        ({"ids": [1], "cameras": ["a\x00b"]}, 422, "cameras.0: "),
        ({"ids": [1], "since": "yesterday"}, 422, "since: "),
        ({"ids": [1], "since": "2026-03-01T08:00:00+01:00"}, 422, "since: it has a time zone"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(client, fields, status, words):
    answer = search(client, **fields)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_gallery_of_vectors_alone_is_searched_by_its_crops(serving, folder, tiny_sysu):
    for path in (folder / "model").iterdir():
        path.unlink()
    client = serving()
    assert len(hits(client, ids=[1], k=5)) == 5
    refused = search(client, [picture(tiny_sysu, 3)])
    assert refused.status_code == 422
    assert "holds vectors without their model" in refused.json()["error"]
