"""The command `compare`: parses, calls the stage, prints."""

from __future__ import annotations

import typer

from tapetum import options
from tapetum.console import progress_bar, show


def compare(
    results: options.ComparedResults,
    published: options.PublishedMethods = None,
    setting: options.ComparedSettings = None,
    metric: options.ComparedMetrics = None,
    format_: options.ComparisonFormat = None,
    output: options.ComparisonOutput = None,
    resamples: options.Resamples = 10_000,
    seed: options.ResamplingSeed = 0,
) -> None:
    """Set runs and published results side by side, ours and published in columns of their own.

    Each further run is tested against the first, query by query: difference, 95 % interval, p.
    """
    from tapetum.outputs import check_place
    from tapetum.report.comparison import choice_of
    from tapetum.report.comparison import compare as run_compare
    from tapetum.report.comparison_formats import TERMINAL, chosen_format, write_comparison, written
    from tapetum.report.comparison_terminal import render_comparison

    wanted = chosen_format(format_, output)
    if output is not None:
        check_place(output)
    choice = choice_of(setting, metric, published, resamples, seed)
    with progress_bar("resampling", "tests") as advance:
        comparison = run_compare(results, choice, advance)
    if output is None and wanted != TERMINAL:
        typer.echo(written(comparison, wanted), nl=False)
        return
    show(render_comparison(comparison))
    if output is not None:
        write_comparison(comparison, wanted, output)
        show(f"The comparison is in {output}.")
