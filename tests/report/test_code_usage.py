"""The use of a code: toys whose pictures depend on it wholly, in part or not at all."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tapetum.core import Modality
from tapetum.errors import InputError
from tapetum.methods.method import Pictures
from tapetum.report.code_usage import CodeUsage, code_usage, mean_usage


class Toy:
    """Structure: the picture. Appearance: its mean. Painted: `weight` times the mean, and the rest of the picture."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def codes(self, pictures: Pictures) -> tuple[Tensor, Tensor]:
        mean = pictures.images.mean(dim=(1, 2, 3))[:, None]
        return pictures.images - self.weight * mean[:, :, None, None], mean

    def paint(self, structure: Tensor, appearance: Tensor, modality: Modality) -> Tensor:
        assert modality is Modality.IR
        return structure + self.weight * appearance[:, :, None, None]


def flat(*levels: float) -> Pictures:
    return Pictures(torch.tensor(levels)[:, None, None, None].expand(-1, 3, 4, 2), Modality.IR)


PERSONS = torch.tensor([7, 7, 9])


@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_by_hand(weight):
    # Others: row 0 takes row 2's code, row 1 row 2's, row 2 row 0's: differences 0.6, 0.4, 0.6. Zeros: 0.2, 0.4, 0.8.
    found = code_usage(Toy(weight), flat(0.2, 0.4, 0.8), PERSONS)
    apart = (0.6 + 0.4 + 0.6) / 3
    expected = CodeUsage(0.0, weight * apart, weight * 1.4 / 3, weight * apart, apart)
    for name in ("own", "other", "none", "change", "apart"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-6), name
    assert found.share == pytest.approx(weight, abs=1e-5)


def test_equal_pictures_have_no_share():
    assert code_usage(Toy(1.0), flat(0.5, 0.5, 0.5), PERSONS).share == 0


def test_a_single_person_is_refused():
    with pytest.raises(InputError, match="all pictures show one person"):
        code_usage(Toy(1.0), flat(0.1, 0.2, 0.3), torch.tensor([4, 4, 4]))


def test_batches_count_by_their_pictures():
    first, second = CodeUsage(0.1, 0.2, 0.3, 0.4, 0.8), CodeUsage(0.5, 0.6, 0.7, 0.8, 0.8)
    found = mean_usage([(3, first), (1, second)])
    assert (found.own, found.other, found.none) == (pytest.approx(0.2), pytest.approx(0.3), pytest.approx(0.4))
    assert found.share == pytest.approx(0.5 / 0.8)
