"""Sampling: the P x K structure, even rounds, resuming, devices, and what is said about people with few crops."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapetum.core import Crop, Dataset, Modality
from tapetum.data.sampling import BatchShape, Draw, PersonSampler, Share, by_camera, in_rounds
from tapetum.errors import DataError, RecipeError

CAMERAS = {Modality.RGB: ("1", "2", "4"), Modality.IR: ("3", "6")}


def dataset(counts: dict[int, tuple[int, int]]) -> Dataset:
    """person -> (RGB, infrared) crops, cameras taking turns; each person's rows are scattered over the table."""
    crops = [
        Crop(f"{person}/{modality}/{n}.jpg", person, CAMERAS[modality][n % len(CAMERAS[modality])], modality)
        for n in range(max(max(pair) for pair in counts.values()))
        for person, pair in counts.items()
        for modality, count in zip(Modality, pair, strict=True)
        if n < count
    ]
    return Dataset("tiny", Path("root"), tuple(crops), {"train": tuple(range(len(crops))), "val": ()})


def draws(sampler: PersonSampler, epoch: int = 0) -> list[Draw]:
    sampler.set_epoch(epoch)
    return list(sampler)


def as_bytes(drawn: list[Draw]) -> list[bytes]:
    return [b"".join(part.tobytes() for part in (draw.rgb, draw.ir, draw.person)) for draw in drawn]


@settings(max_examples=40, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=6, max_size=12),
    persons=st.integers(1, 6),
    crops=st.integers(1, 5),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 300),
)
def test_every_step_is_p_persons_by_k_crops(
    counts: list[tuple[int, int]], persons: int, crops: int, seed: int, epoch: int
) -> None:
    data = dataset({10 * index + 7: pair for index, pair in enumerate(counts)})
    known = data.persons("train")
    for draw in draws(PersonSampler(data, "train", BatchShape(persons, crops, 5), seed), epoch):
        blocks = draw.person.reshape(persons, crops)
        assert (blocks == blocks[:, :1]).all()
        assert len(set(blocks[:, 0].tolist())) == persons
        for modality, rows in ((Modality.RGB, draw.rgb), (Modality.IR, draw.ir)):
            assert [known.index(data.crops[row].person or 0) for row in rows] == draw.person.tolist()
            assert {data.crops[row].modality for row in rows} == {modality}
            for block in rows.reshape(persons, crops):
                own = sum(c.modality is modality and c.person == data.crops[block[0]].person for c in data.crops)
                # All different when there are enough; otherwise each as often as any other, give or take one.
                most = Counter(block.tolist()).most_common(1)[0][1]
                assert most == 1 if own >= crops else most <= -(-crops // own) + 1


def test_an_epoch_covers_the_larger_modality_once() -> None:
    # 6 persons x 10 RGB = 60 crops at 3 x 2 a step: 10 steps, each person in 5 of them, each RGB crop exactly once.
    data = dataset(dict.fromkeys(range(6), (10, 4)))
    sampler = PersonSampler(data, "train", BatchShape(3, 2), seed=1)
    assert len(sampler) == 10
    drawn = draws(sampler)
    assert Counter(np.concatenate([d.person for d in drawn]).tolist()) == dict.fromkeys(range(6), 10)
    rgb = Counter(np.concatenate([d.rgb for d in drawn]).tolist())
    assert rgb == {row: 1 for row, crop in enumerate(data.crops) if crop.modality is Modality.RGB}
    infrared = Counter(np.concatenate([d.ir for d in drawn]).tolist())
    assert set(infrared.values()) <= {2, 3}  # 10 of 4 crops: two rounds and a half


def test_steps_round_up_and_can_be_set() -> None:
    data = dataset(dict.fromkeys(range(5), (3, 5)))  # 25 infrared crops
    assert len(PersonSampler(data, "train", BatchShape(2, 4), seed=0)) == 4  # 25 / 8 = 3.125
    assert len(PersonSampler(data, "train", BatchShape(2, 4, 17), seed=0)) == 17
    assert len(PersonSampler(data, "train", BatchShape(2, 2), seed=0, share=Share(1, 2))) == 4  # 25 / (2 x 2 x 2)


def test_persons_are_spread_evenly() -> None:
    # 7 persons, 3 a step: over 21 draws each comes exactly 3 times, and in each round of 7 exactly once.
    data = dataset(dict.fromkeys(range(7), (4, 4)))
    drawn = draws(PersonSampler(data, "train", BatchShape(3, 1, 7), seed=2))
    order = np.concatenate([d.person for d in drawn])
    for start in (0, 7, 14):
        assert sorted(order[start : start + 7].tolist()) == list(range(7))


def test_a_step_depends_on_seed_epoch_and_step_alone() -> None:
    data = dataset(dict.fromkeys(range(9), (6, 6)))
    shape = BatchShape(3, 2, 8)
    whole = as_bytes(draws(PersonSampler(data, "train", shape, seed=3), epoch=4))
    assert as_bytes(draws(PersonSampler(data, "train", shape, seed=3), epoch=4)) == whole
    assert as_bytes(draws(PersonSampler(data, "train", shape, seed=3), epoch=5)) != whole
    assert as_bytes(draws(PersonSampler(data, "train", shape, seed=4), epoch=4)) != whole
    fresh = PersonSampler(data, "train", shape, seed=3)
    assert as_bytes([fresh.batch(4, step) for step in (5, 2)]) == [whole[5], whole[2]]


def test_going_on_inside_an_epoch() -> None:
    data = dataset(dict.fromkeys(range(9), (6, 6)))
    sampler = PersonSampler(data, "train", BatchShape(3, 2, 8), seed=3)
    whole, following = as_bytes(draws(sampler, 0)), as_bytes(draws(sampler, 1))
    resumed = PersonSampler(data, "train", BatchShape(3, 2, 8), seed=3)
    resumed.start = 5
    assert as_bytes(draws(resumed, 0)) == whole[5:]
    assert as_bytes(draws(resumed, 1)) == following  # `start` holds for one pass


def test_devices_get_disjoint_persons_and_the_same_number_of_steps() -> None:
    data = dataset({person: (2 + person % 5, 3) for person in range(13)})
    shares = [PersonSampler(data, "train", BatchShape(2, 2), 0, Share(rank, 3)) for rank in range(3)]
    steps = [draws(sampler, 2) for sampler in shares]
    assert len({len(own) for own in steps}) == 1
    for together in zip(*steps, strict=True):
        assert len(set(np.concatenate([d.person for d in together]).tolist())) == 6
    # All devices together draw what one device with three times as many persons draws.
    alone = draws(PersonSampler(data, "train", BatchShape(6, 2), 0), 2)
    for one, together in zip(alone, zip(*steps, strict=True), strict=True):
        assert one.rgb.tolist() == [row for part in together for row in part.rgb.tolist()]


def test_crops_of_a_person_come_from_different_cameras() -> None:
    data = dataset(dict.fromkeys(range(4), (9, 6)))  # 3 RGB cameras x 3 crops, 2 infrared cameras x 3
    for draw in draws(PersonSampler(data, "train", BatchShape(2, 3, 6), seed=5)):
        for block in draw.rgb.reshape(2, 3):
            assert {data.crops[row].camera for row in block} == {"1", "2", "4"}


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 999))
def test_by_camera_takes_every_crop_once_and_cameras_in_turns(sizes: list[int], seed: int) -> None:
    groups = [np.arange(100 * camera, 100 * camera + size) for camera, size in enumerate(sizes)]
    order = by_camera(groups, np.random.default_rng(seed))
    assert sorted(order.tolist()) == np.concatenate(groups).tolist()
    place = 0
    for turn in range(max(sizes)):
        left = [camera for camera, size in enumerate(sizes) if size > turn]
        assert sorted(row // 100 for row in order[place : place + len(left)].tolist()) == left
        place += len(left)


def test_in_rounds_by_hand() -> None:
    # Windows of 2 over 3 items: [a b] [c | a] ...: the second shuffle starts with the c that the window has already.
    shuffles = iter([np.array([0, 1, 2]), np.array([2, 0, 1]), np.array([1, 2, 0])])
    assert in_rounds(lambda: next(shuffles), 2, 8).tolist() == [0, 1, 2, 0, 2, 1, 1, 2]
    few = iter([np.array([0, 1]), np.array([1, 0])])
    assert in_rounds(lambda: next(few), 3, 4).tolist() == [0, 1, 1, 0]  # two items cannot fill a window of three
    assert in_rounds(lambda: np.arange(3), 2, 0).tolist() == []


def test_persons_of_one_modality_are_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    data = dataset({3: (2, 2), 4: (2, 0), 5: (2, 2), 6: (0, 2), 8: (2, 0)})
    with caplog.at_level(logging.WARNING):
        sampler = PersonSampler(data, "train", BatchShape(2, 2, 4), seed=0)
        PersonSampler(data, "train", BatchShape(1, 2, 4), seed=0, share=Share(1, 2))  # only the first device speaks
        labels = {label for epoch in range(3) for d in draws(sampler, epoch) for label in d.person.tolist()}
    assert labels == {0, 2}  # places of persons 3 and 5 among all five
    assert [record.getMessage() for record in caplog.records] == [
        "split 'train' of tiny (root): person 6 has no RGB crops: left out",
        "split 'train' of tiny (root): person 4 (and 1 more) has no infrared crops: left out",
    ]


def test_too_large_k_is_said_once_and_by_the_first_device_alone(caplog: pytest.LogCaptureFixture) -> None:
    data = dataset({16: (4, 5), 17: (4, 2), 18: (4, 3), 19: (4, 3)})
    with caplog.at_level(logging.WARNING):
        sampler = PersonSampler(data, "train", BatchShape(2, 4, 4), seed=0, share=Share(0, 2))
        draws(sampler, 0)
        draws(sampler, 1)
        PersonSampler(data, "train", BatchShape(2, 4, 4), seed=0, share=Share(1, 2))
    assert [record.getMessage() for record in caplog.records] == [
        "K = 4 is more than the 2 infrared crops of person 17 (and 2 more): drawn with replacement"
    ]


def test_too_few_persons_names_numbers_and_remedy() -> None:
    data = dataset(dict.fromkeys(range(5), (2, 2)))
    with pytest.raises(RecipeError) as caught:
        PersonSampler(data, "train", BatchShape(8, 4), seed=0)
    assert str(caught.value) == (
        "persons = 8: split 'train' of tiny has 5 persons with both modalities. Set persons to 5 or less."
    )
    with pytest.raises(RecipeError, match=r"persons = 3 x 2 devices: .* Set persons to 2 or less"):
        PersonSampler(data, "train", BatchShape(3, 4), seed=0, share=Share(0, 2))


def test_empty_splits_and_missing_modalities_are_data_errors() -> None:
    with pytest.raises(DataError, match=r"split 'val' of tiny \(root\) has no crops of known persons"):
        PersonSampler(dataset({1: (2, 2)}), "val", BatchShape(1, 1), seed=0)
    with pytest.raises(DataError, match=r"split 'train' of tiny \(root\) has no infrared crops"):
        PersonSampler(dataset({1: (2, 0), 2: (1, 0)}), "train", BatchShape(1, 1), seed=0)
    with pytest.raises(DataError, match="no split 'trian'"):
        PersonSampler(dataset({1: (2, 2)}), "trian", BatchShape(1, 1), seed=0)


def test_crops_of_nobody_known_are_never_drawn() -> None:
    known = dataset({1: (2, 2), 2: (2, 2)})
    stranger = Crop("x.jpg", None, "1", Modality.RGB)
    data = Dataset("tiny", Path("root"), (*known.crops, stranger), {"train": tuple(range(9))})
    drawn = draws(PersonSampler(data, "train", BatchShape(2, 2, 9), seed=0))
    assert 8 not in np.concatenate([d.rgb for d in drawn])
