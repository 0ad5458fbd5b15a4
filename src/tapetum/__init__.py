"""Tapetum finds the same person by day and by night: RGB-infrared person re-identification."""

from tapetum.core import Batch, Crop, Dataset, Modality, Protocol, Trial
from tapetum.errors import InputError, TapetumError

__all__ = ["Batch", "Crop", "Dataset", "InputError", "Modality", "Protocol", "TapetumError", "Trial"]
