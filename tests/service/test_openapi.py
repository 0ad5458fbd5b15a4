"""The service keeps its own OpenAPI description, whatever it is sent: schemathesis asks it over the network."""

from __future__ import annotations

import os
import subprocess
import sys

from served_gallery import served

from tapetum.gallery.audit import verify_audit
from tapetum.gallery.gallery import Gallery
from tapetum.gallery.keys import KeyRing

EXAMPLES = 5
# A description cannot say that a file must be a picture, nor that an id must live.
LEFT_OUT = "positive_data_acceptance"
RUN = "from schemathesis.cli import schemathesis; schemathesis()"


def test_the_service_keeps_its_description(folder, tmp_path):
    key = KeyRing(folder).add("tester", "admin")
    with Gallery.open(folder) as gallery, served(gallery) as address:
        told = ["--header", f"Authorization: Bearer {key}", "--max-examples", str(EXAMPLES), "--seed", "1"]
        how = ["--exclude-checks", LEFT_OUT, "--warnings", "off", "--phases", "coverage,fuzzing"]
        command = [sys.executable, "-c", RUN, "run", f"{address}/api/openapi.json", *told, *how]
        environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(tmp_path / "hypothesis")}
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=280)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Tested: 11" in done.stdout  # every operation was asked
    assert verify_audit(folder).number > 10  # the log is whole
