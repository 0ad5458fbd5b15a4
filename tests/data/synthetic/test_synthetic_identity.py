"""Persons: what the factors do, and that structure, appearance and near-infrared are three unrelated streams."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tapetum.data.synthetic import PRESETS, Factors, SynthesisSpec, make_identity, random_keys
from tapetum.data.synthetic.materials import UPPER
from tapetum.errors import RecipeError

SPEC = PRESETS["small"]


def test_a_person_depends_on_seed_and_number_alone() -> None:
    assert make_identity(SPEC, 5) == make_identity(replace(SPEC, train=3, per_camera=9), 5)
    assert make_identity(SPEC, 5).structure != make_identity(SPEC, 6).structure
    assert make_identity(SPEC, 5).structure != make_identity(replace(SPEC, seed=1), 5).structure


def test_structure_appearance_and_near_infrared_can_be_taken_from_other_persons() -> None:
    own, other = make_identity(SPEC, 5), make_identity(SPEC, 6)
    mixed = make_identity(SPEC, 5, appearance_of=6)
    assert (mixed.structure, mixed.appearance, mixed.near_infrared) == (
        own.structure,
        other.appearance,
        own.near_infrared,
    )
    mixed = make_identity(SPEC, 5, near_infrared_of=6)
    assert (mixed.structure, mixed.appearance, mixed.near_infrared) == (
        own.structure,
        own.appearance,
        other.near_infrared,
    )


def test_a_person_comes_from_three_streams_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    keys: list[tuple[str | int, ...]] = []
    monkeypatch.setattr(random_keys, "key_state", lambda *key: keys.append(key) or len(keys))
    make_identity(replace(SPEC, seed=3), 7)
    assert sorted(keys) == [(3, "id-appearance", 7), (3, "id-nir", 7), (3, "id-structure", 7)]


def test_factors_of_one_stream_do_not_move_the_others() -> None:
    plain = replace(SPEC, factors=replace(SPEC.factors, pattern=0.0, pattern_nir=0.0))
    for person in range(1, 6):
        assert make_identity(plain, person).structure == make_identity(SPEC, person).structure
        assert make_identity(plain, person).near_infrared.grounds == make_identity(SPEC, person).near_infrared.grounds


def test_near_infrared_does_not_follow_the_visible_luminance() -> None:
    identities = [make_identity(SPEC, person) for person in range(1, 401)]
    visible = [sum(identity.appearance.colours[UPPER]) for identity in identities]
    infrared = [identity.near_infrared.grounds[UPPER] for identity in identities]
    assert abs(np.corrcoef(visible, infrared)[0, 1]) < 0.12  # 2.4 deviations of a correlation of 400 unrelated pairs


def test_nir_visible_mixes_the_luminance_in() -> None:
    tied = replace(SPEC, factors=replace(SPEC.factors, nir_visible=1.0))
    identity = make_identity(tied, 3)
    red, green, blue = identity.appearance.colours[UPPER]
    assert identity.near_infrared.grounds[UPPER] == pytest.approx(0.299 * red + 0.587 * green + 0.114 * blue)


def test_flat_evens_out_the_bags_and_spread_widens_the_bodies() -> None:
    def bags(flat: float) -> Counter[str]:
        spec = SynthesisSpec(factors=Factors(flat=flat))
        return Counter(make_identity(spec, person).structure.carried for person in range(300))

    everyday, even = bags(0.0), bags(1.0)
    assert everyday["none"] == pytest.approx(0.52 * 300, abs=30)
    assert all(count == pytest.approx(60, abs=25) for count in even.values())
    assert len(even) == 5
    shoulders = [
        np.std([make_identity(SynthesisSpec(factors=Factors(spread=s)), p).structure.body.shoulder for p in range(200)])
        for s in (0.5, 1.6)
    ]
    assert shoulders[1] > 1.4 * shoulders[0]


def test_patterns_appear_and_survive_as_often_as_asked() -> None:
    people = [make_identity(SPEC, person) for person in range(1, 401)]
    patterned = [p for p in people if p.appearance.patterns[UPPER].kind != "plain"]
    surviving = [p for p in people if p.near_infrared.seconds[UPPER] != p.near_infrared.grounds[UPPER]]
    assert len(patterned) / 400 == pytest.approx(0.7, abs=0.07)
    assert len(surviving) / 400 == pytest.approx(0.8, abs=0.06)


def test_presets_have_the_promised_sizes() -> None:
    sizes = {name: (spec.train, spec.val, spec.test, spec.per_camera) for name, spec in PRESETS.items()}
    assert sizes == {
        "tiny": (8, 0, 4, 2),
        "small": (200, 25, 100, 4),
        "wide": (100, 25, 100, 10),
        "medium": (296, 99, 96, 12),
        "hard-small": (200, 25, 100, 4),
    }
    assert PRESETS["small"].factors == Factors(spread=1.6, flat=0.5, pattern=0.7, pattern_nir=0.8)


def test_a_specification_survives_json_and_refuses_what_it_does_not_know() -> None:
    spec = SynthesisSpec(seed=3, truth="parts", factors=Factors(flat=0.2))
    assert SynthesisSpec.parse(spec.to_json()) == spec
    with pytest.raises(RecipeError, match=r"factors\.patern"):
        SynthesisSpec.parse({"factors": {"patern": 1}})
    with pytest.raises(RecipeError, match="train = 0"):
        SynthesisSpec.parse({"train": 0})
    with pytest.raises(RecipeError, match="9999"):
        SynthesisSpec.parse({"train": 9000, "test": 1000})
