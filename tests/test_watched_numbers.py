"""A number that a method watches is in the training log and on the run's page, beside the losses, never among them."""

from __future__ import annotations

from tapetum.data.sysu_mm01 import read
from tapetum.report.curves import _losses, read_curves
from tapetum.report.run_report import report_run
from tapetum.training import train
from tapetum.training_log import read_log
from tiny_recipe import tiny_recipe

SETTINGS = {
    "trunk": "resnet10", "weights": "none", "width": 8, "code_width": 1, "style_width": 8, "dilations": [1, 2, 3],
    "discriminator_width": 2, "scales": 2, "embedding": 16, "metric_embedding": 8,
}  # fmt: skip


def test_hi_cmd_logs_how_much_it_lives_on_shape(tiny_sysu, tmp_path):
    moved = {"kind": "adam", "learning_rate": 0.003}
    recipe = tiny_recipe(
        method="hi_cmd",
        settings=SETTINGS,
        batch={"persons": 4, "crops": 2, "steps_per_epoch": 2},
        optimisers=dict.fromkeys(("generator", "discriminator", "identity"), moved),
        schedule={"epochs": 2, "warmup_epochs": 0},
        validation=None,
    )
    run = train(recipe, read(tiny_sysu), tmp_path / "run", workers=0)
    lines = [(step, value) for step, _, name, value in read_log(run / "log.csv") if name == "watched/shape"]
    assert [step for step, _ in lines] == [1, 3]
    assert all(0.45 < value < 0.55 and value != 0.5 for _, value in lines)  # from 0.5, at most 0.003 a step
    curves = read_curves(run / "log.csv")
    assert "watched/shape" in curves
    assert "watched/shape" not in _losses(curves)
    _, page = report_run(run, tmp_path / "report.html")
    written = page.read_text(encoding="utf-8")
    assert "Learned numbers" in written
    assert f"shape: from {lines[0][1]:.3g} to {lines[1][1]:.3g}" in written
