"""What others may import, pinned: a name that goes or comes changes this file, too."""

from __future__ import annotations

import subprocess
import sys

import tapetum


def test_the_public_names_are_these():
    assert tapetum.__all__ == [
        "Batch",
        "Crop",
        "Dataset",
        "InputError",
        "Modality",
        "Protocol",
        "TapetumError",
        "Trial",
    ]
    assert all(hasattr(tapetum, name) for name in tapetum.__all__)


def test_the_command_line_starts_without_torch():
    # `tapetum --help` must answer at once: torch and Lightning take seconds to import.
    slow = ("torch", "pytorch_lightning", "timm", "scipy")
    code = f"import sys, tapetum.cli; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
