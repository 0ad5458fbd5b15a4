"""Training curves: what is read from a log, and what is drawn of it."""

import re

import numpy as np
import pytest

from tapetum.report.curves import (
    loss_figure,
    rate_figure,
    read_curves,
    selected_epoch,
    thinned,
    validation_figure,
    watched_figure,
)

LOG = """step,epoch,name,value
0,0,model/total,5.0
0,0,model/identity,4.0
0,0,learning_rate/model,0.001
10,1,model/total,3.0
10,1,model/identity,2.5
10,1,learning_rate/model,0.01
10,1,val/mAP,0.25
10,1,val/r1,0.5
20,2,val/mAP,0.5
20,2,val/r1,0.25
30,3,val/mAP,0.5
30,3,val/r1,0.75
"""


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    return path


def words(svg: str) -> list[str]:
    return re.findall(r">([^<>\s][^<>]*)</text>", svg)


def test_curves_are_read_by_name(log):
    curves = read_curves(log)
    assert list(curves) == ["model/total", "model/identity", "learning_rate/model", "val/mAP", "val/r1"]
    assert curves["model/total"].step.tolist() == [0, 10]
    assert curves["model/total"].value.tolist() == [5.0, 3.0]
    assert curves["val/r1"].epoch.tolist() == [2, 3, 4]


def test_the_first_epoch_with_the_best_map_is_the_selected_one(log):
    # mAP is .25 .5 .5: the log's epoch 2, a person's third, comes first, though rank 1 is best later.
    curves = read_curves(log)
    assert selected_epoch(curves) == 3
    assert "selected: epoch 3" in words(validation_figure(curves))
    assert "Selected epoch: 3." in validation_figure(curves)


def test_a_score_that_is_no_number_is_not_selected(log):
    log.write_text(LOG.replace("20,2,val/mAP,0.5", "20,2,val/mAP,nan"))
    assert selected_epoch(read_curves(log)) == 4
    log.write_text("step,epoch,name,value\n1,0,val/mAP,nan\n")
    curves = read_curves(log)
    assert selected_epoch(curves) is None
    assert "No epoch was selected." in validation_figure(curves)


def test_every_curve_is_named(log):
    curves = read_curves(log)
    losses = words(loss_figure(curves))
    assert losses.index("total") < losses.index("identity")
    assert "total: from 5 to 3; identity: from 4 to 2.5" in loss_figure(curves)
    assert {"mAP", "rank 1", "epoch"} <= set(words(validation_figure(curves)))
    assert "learning rate" in words(rate_figure(curves))
    assert "model" not in words(rate_figure(curves))  # one player needs no name


def test_two_players_have_names(log):
    log.write_text(LOG + "0,0,learning_rate/generator,0.1\n0,0,generator/adversarial,0.7\n")
    assert {"generator", "model"} <= set(words(rate_figure(read_curves(log))))
    assert {"generator/adversarial", "model/total", "model/identity"} <= set(words(loss_figure(read_curves(log))))


def test_a_watched_number_has_a_figure_of_its_own(log):
    log.write_text(LOG + "0,0,watched/shape,0.5\n10,1,watched/shape,0.625\n")
    curves = read_curves(log)
    assert {"shape", "learned number", "training step"} <= set(words(watched_figure(curves)))
    assert "shape: from 0.5 to 0.625" in watched_figure(curves)
    assert "shape" not in words(loss_figure(curves)) + words(rate_figure(curves)) + words(validation_figure(curves))


def test_what_was_not_logged_is_not_drawn(tmp_path):
    curves = read_curves(tmp_path / "none.csv")
    assert curves == {}
    assert loss_figure(curves) is validation_figure(curves) is rate_figure(curves) is selected_epoch(curves) is None
    assert watched_figure(curves) is None


def test_thinned_by_hand():
    step, value = thinned(np.array([0, 10, 20, 30, 40]), np.array([1.0, 3.0, 5.0, 7.0, 9.0]), points=2)
    assert step.tolist() == [10.0, 35.0]  # the stretches (0 10 20) and (30 40)
    assert value.tolist() == [3.0, 8.0]


def test_a_short_curve_stays_as_it_is():
    step, value = thinned(np.array([0, 10]), np.array([1.0, 3.0]), points=2)
    assert (step.tolist(), value.tolist()) == ([0.0, 10.0], [1.0, 3.0])


def test_a_long_log_gives_a_small_figure(log):
    lines = "".join(f"{step},0,model/total,{step % 7}\n" for step in range(20_000))
    log.write_text("step,epoch,name,value\n" + lines)
    assert len(loss_figure(read_curves(log))) < 30_000
