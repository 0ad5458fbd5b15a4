"""The command `search`: a file of embeddings, a gallery here, or the service that holds it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tapetum import options, options_gallery
from tapetum.commands_gallery import user
from tapetum.console import show
from tapetum.core import Crop, Modality
from tapetum.errors import RecipeError, did_you_mean
from tapetum.options_gallery import time_of

if TYPE_CHECKING:
    from tapetum.gallery.picture_search import PictureSearch
    from tapetum.gallery.store import Filter
    from tapetum.report.gallery_tables import ListedAnswers

_AMONG = {"rgb": frozenset({Modality.RGB}), "ir": frozenset({Modality.IR}), "all": None}
_SERVICE_PICTURES = 8


def search(
    queries: options.Queries,
    gallery: options_gallery.SearchedGallery,
    model: options_gallery.FileModel = None,
    top: options_gallery.AnswerCount = 10,
    modality: options.QueryModality = Modality.IR,
    among: options.Among = "rgb",
    camera: options_gallery.Cameras = None,
    site: options_gallery.Sites = None,
    since: options_gallery.Since = None,
    until: options_gallery.Until = None,
    fuse: options_gallery.Fuse = False,
    fold: options_gallery.Fold = None,
    approximate: options_gallery.Approximate = False,
    key: options_gallery.ServiceKey = None,
    output: options.StripsOutput = Path("search.png"),
) -> None:
    """Rank crops by how much they look like the queries' persons, and draw the ranked strips.

    The list says who it may be, never who it is: the score is a cosine, and the first answer can be wrong. A gallery
    that a running service holds is asked through the service.
    """
    from tapetum.outputs import check_place

    check_place(output)
    if among not in _AMONG:
        raise RecipeError(f"--among {among} names no crops. {did_you_mean(among, _AMONG)}")
    if not gallery.is_dir():
        filters = {"--camera": camera, "--site": site, "--since": since, "--until": until}
        how = {"--fuse": fuse or None, "--fold": fold, "--approximate": approximate or None}
        options.refuse("a file of embeddings", {**filters, **how})
        _search_file(queries, gallery, model, top, modality, among, output)
        return
    options.refuse("a gallery, which has its own", {"--model": model})
    from tapetum.gallery.picture_search import PictureSearch, check_pictures

    check_pictures(queries)
    asked = PictureSearch(
        pictures=tuple(queries),
        modality=modality,
        k=top,
        among=_filter(among, camera, site, since, until),
        fuse=fuse,
        fold=None if fold is None else timedelta(seconds=fold),
        approximate=approximate,
    )
    _search_gallery(gallery, asked, among, key, output)


def _filter(
    among: str, camera: Sequence[str] | None, site: Sequence[str] | None, since: str | None, until: str | None
) -> Filter:
    from tapetum.gallery.store import Filter

    return Filter(
        cameras=None if not camera else frozenset(camera),
        sites=None if not site else frozenset(site),
        modalities=_AMONG[among],
        since=time_of("--since", since),
        until=time_of("--until", until),
    )


def _search_gallery(gallery: Path, asked: PictureSearch, among: str, key: str | None, output: Path) -> None:
    """The way of a gallery: here, or where it is held."""
    from tapetum.gallery.gallery import service_of
    from tapetum.gallery.keys import KeyRing

    service = service_of(gallery)
    if service is not None and key is None and not KeyRing(gallery).empty:
        raise RecipeError(f"the service at {service} holds {gallery} and asks for a key. Pass it with --key.")
    with TemporaryDirectory() as thumbnails:
        if service is None:
            answers = _search_here(gallery, asked, among, Path(thumbnails))
        else:
            show(f"{gallery} is held by the service at {service}, which answers.")
            answers = _search_there(service, key, asked, among, Path(thumbnails))
        _show(answers, output)


def _search_file(
    queries: Sequence[Path], gallery: Path, model: Path | None, top: int, modality: Modality, among: str, output: Path
) -> None:
    """The way of a file of embeddings."""
    from tapetum.gallery.queries import search_pictures
    from tapetum.report.hits import render_hits
    from tapetum.report.strips import Strip, write_strips

    if model is None:
        raise RecipeError(f"{gallery} is no gallery. For a file of embeddings, pass the run that made it with --model.")
    found, root = search_pictures(queries, gallery, model, modality=modality, among=among, top=top)
    strips = [Strip(query, hits) for query, hits in found]
    for strip in strips:
        show(render_hits(strip))
    write_strips(output, strips, root)
    show(f"The strips are in {output}.")


_Drawn = list[tuple["ListedAnswers", list[Crop], Crop]]
"""Answers, the crops to draw for them, and the query to draw."""


def _search_here(gallery: Path, asked: PictureSearch, among: str, thumbnails: Path) -> _Drawn:
    from tapetum.gallery.gallery import read_facts
    from tapetum.gallery.picture_search import search_gallery
    from tapetum.report.gallery_tables import Listed, ListedAnswers
    from tapetum.service.meaning import meaning_of
    from tapetum.service.messages import SearchFields

    fields = SearchFields.model_validate({"modality": asked.modality, "among": among})
    calibration = read_facts(gallery).calibration
    drawn: _Drawn = []
    for answered in search_gallery(gallery, asked, who=user()):
        listed, crops = [], []
        for hit, thumbnail in zip(answered.reply.hits, answered.thumbnails, strict=True):
            row = hit.row
            crop = Crop(row.path, row.person, row.camera, row.modality, row.time)
            listed.append(Listed(hit.rank, row.id, hit.score, crop, row.site, len(hit.folded)))
            crops.append(_drawable(crop, thumbnail, thumbnails / f"{row.id}.jpg"))
        known = answered.known[0] if answered.known else None
        query = Crop(
            str(answered.pictures[0].resolve()),
            None if known is None else known.person,
            "?" if known is None else known.camera,
            asked.modality,
        )
        meaning = meaning_of(calibration, fields, len(answered.pictures), {asked.modality})
        words = meaning.in_words(listed[0].score if listed else None)
        title = _title(answered.pictures, asked.modality)
        drawn.append((ListedAnswers(title, listed, answered.reply.how, words), crops, query))
    return drawn


def _search_there(address: str, key: str | None, asked: PictureSearch, among: str, thumbnails: Path) -> _Drawn:
    from tapetum.report.gallery_tables import Listed, ListedAnswers
    from tapetum.service.client import ServiceClient
    from tapetum.service.messages import SearchFields

    fields = SearchFields.model_validate(
        {
            "modality": asked.modality,
            "among": among,
            "cameras": sorted(asked.among.cameras or ()),
            "sites": sorted(asked.among.sites or ()),
            "since": asked.among.since,
            "until": asked.among.until,
            "k": asked.k,
            "approximate": asked.approximate,
            "fold_seconds": None if asked.fold is None else asked.fold.total_seconds(),
        }
    )
    drawn: _Drawn = []
    with ServiceClient(address, key) as service:
        for group in asked.groups():
            answer = service.search(group, fields)
            listed, crops = [], []
            for hit in answer.hits:
                crop = Crop(hit.path, None, hit.camera, hit.modality, hit.time)
                listed.append(Listed(hit.rank, hit.id, hit.score, crop, hit.site, len(hit.folded)))
                thumbnail = service.thumbnail(hit.id) if hit.thumbnail else None
                crops.append(_drawable(crop, thumbnail, thumbnails / f"{hit.id}.jpg"))
            query = Crop(str(group[0].resolve()), None, "?", asked.modality)
            title = _title(group, asked.modality)
            drawn.append((ListedAnswers(title, listed, answer.how, answer.meaning), crops, query))
    return drawn


def _show(answers: _Drawn, output: Path) -> None:
    from tapetum.gallery.search import Hit
    from tapetum.report.gallery_tables import render_answers
    from tapetum.report.strips import Strip, write_strips

    strips = []
    for listed, crops, query in answers:
        for part in render_answers(listed):
            show(part)
        hits = [Hit(hit.rank, hit.rank - 1, crop, hit.score) for hit, crop in zip(listed.hits, crops, strict=True)]
        strips.append(Strip(query, hits))
    write_strips(output, strips, Path())
    show(f"The strips are in {output}.")


def _drawable(crop: Crop, thumbnail: bytes | None, place: Path) -> Crop:
    """The crop with a picture that can be drawn: the gallery's thumbnail, where it has one."""
    if thumbnail is None:
        return crop
    place.write_bytes(thumbnail)
    return Crop(str(place), crop.person, crop.camera, crop.modality, crop.time)


def _title(pictures: Sequence[Path], modality: Modality) -> str:
    more = f" and {len(pictures) - 1} more of the same person" if len(pictures) > 1 else ""
    return f"{pictures[0]}{more} ({modality})"
