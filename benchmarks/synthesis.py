"""How fast the synthetic people are made: images per second of one core at 256 x 128, JPEG included.

python benchmarks/synthesis.py            60 images of 10 persons, best of three rounds
python benchmarks/synthesis.py --profile  and where the time goes

CPU seconds are the process's own, so a busy machine disturbs them less than the wall clock, though not by nothing
(shared caches, hyper-threads).
"""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import time

from PIL import Image

from tapetum.data.synthetic import PRESETS, make_identity, render_image, sample_view, sized


def draw(persons: range) -> int:
    """Render and compress one picture by every camera of every person; returns how many."""
    spec = PRESETS["small"]
    count = 0
    for person in persons:
        identity = make_identity(spec, person)
        for camera in range(1, 7):
            view = sized(sample_view(spec, identity, camera, 1), 256, 128)
            image = render_image(identity, view)
            Image.fromarray(image).save(io.BytesIO(), "JPEG", quality=view.quality, subsampling="4:2:0")
            count += 1
    return count


def main() -> None:
    """Print images per second, by CPU time and by the clock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=10)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    persons = range(1, 1 + options.persons)
    start = time.process_time()
    draw(range(1, 2))  # backgrounds and noise tiles are made once per process
    print(f"first person, with the six backgrounds: {time.process_time() - start:.2f} CPU s")
    rounds = []
    for _ in range(3):
        cpu, wall = time.process_time(), time.perf_counter()
        count = draw(persons)
        rounds.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = min(rounds)
    print(
        f"{count} images: {count / cpu:.0f} per CPU second ({1e3 * cpu / count:.1f} ms), {count / wall:.0f} per second"
    )
    if options.profile:
        profiler = cProfile.Profile(time.process_time)
        profiler.runcall(draw, persons)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    main()
