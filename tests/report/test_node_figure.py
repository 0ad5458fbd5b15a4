"""The figure of modality-specific nodes: its bars are the shares, its words the kinds that occur, its file a PNG."""

from __future__ import annotations

import pytest
from PIL import Image

from tapetum.evaluation.modality_nodes import NodeCounts
from tapetum.report.node_figure import draw_nodes, write_nodes

NETWORKS = {
    "one_stream": {"stem": NodeCounts(0, 8, 0, 0), "layer1": NodeCounts(1, 6, 1, 0)},
    "zero_padding": {"stem": NodeCounts(4, 1, 3, 0), "layer1": NodeCounts(2, 4, 2, 0)},
}


def test_each_bar_stacks_the_shares_of_its_stage():
    panels = draw_nodes(NETWORKS).axes
    assert [panel.get_title() for panel in panels] == ["one_stream", "zero_padding"]
    heights = [[bar.get_height() for bar in bars] for bars in panels[1].containers]
    # RGB-specific, shared, infrared-specific, silent of 8 nodes: 4 1 3 0 in the stem, 2 4 2 0 in layer1.
    assert heights == [[50.0, 25.0], [12.5, 50.0], [37.5, 25.0], [0.0, 0.0]]
    tops = [bar.get_y() + bar.get_height() for bar in panels[1].containers[-1]]
    assert tops == [100.0, 100.0]
    assert [label.get_text() for label in panels[0].get_xticklabels()] == ["stem\n8", "layer1\n8"]


def test_only_kinds_that_occur_are_named():
    def words(figure) -> list[str]:
        return [text.get_text() for text in figure.legends[0].get_texts()]

    assert words(draw_nodes(NETWORKS)) == ["RGB-specific", "shared", "infrared-specific"]
    silent = {"one_stream": {"stem": NodeCounts(0, 7, 0, 1)}}
    assert words(draw_nodes(silent)) == ["shared", "silent"]


def test_it_is_written_as_a_picture(tmp_path):
    path = tmp_path / "nodes.png"
    write_nodes(path, NETWORKS)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.width > picture.height > 300
    assert path.stat().st_size < 150_000


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no network"):
        draw_nodes({})
