"""One look of one camera at one person: all that changes from picture to picture, drawn from one keyed stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tapetum.data.synthetic.cameras import CAMERAS, REGDB_CAMERAS, Camera
from tapetum.data.synthetic.identity import FIRST_BYSTANDER, Identity
from tapetum.data.synthetic.random_keys import Stream
from tapetum.data.synthetic.specification import Nuisance, SynthesisSpec
from tapetum.errors import InputError


@dataclass(frozen=True)
class Framing:
    """The crop: size in pixels, borders around the person as shares of the height, sideways shift in widths."""

    height: int
    width: int
    top: float
    bottom: float
    shift: float


@dataclass(frozen=True)
class Light:
    """Direction of the main light (right, up, towards the camera; not of unit length), its share, and the exposure."""

    direction: tuple[float, float, float]
    ambient: float
    exposure: float
    tint: tuple[float, float, float]


@dataclass(frozen=True)
class Occluder:
    """Something in front of the person: "bottom", "left", "right" or "rail", how far it reaches (0 ... 1), its tone."""

    kind: str
    reach: float
    tone: float


@dataclass(frozen=True)
class Bystander:
    """Somebody else in the picture: an id of nobody in the dataset, where (in crop widths) and how far behind."""

    person: int
    shift: float
    behind: bool
    yaw: float
    phase: float


@dataclass(frozen=True)
class View:
    """One picture's circumstances. Angles in degrees; yaw 0 faces the camera, positive turns to the picture's right.

    phase: of the walk, 0 ... 360; walking: False stands. habit: the person's arm habit shows. ground: where in the
    picture's height the wall meets the floor. backdrop: place along the background, 0 ... 1, and its zoom.
    blur in pixels, noise in grey levels, motion in pixels (0: none). quality: JPEG's. grain: 64 random bits.
    """

    camera: Camera
    yaw: float
    head_yaw: float
    pitch: float
    phase: float
    walking: bool
    stride: float
    habit: bool
    framing: Framing
    light: Light
    occluder: Occluder | None
    bystander: Bystander | None
    ground: float
    backdrop: float
    zoom: float
    blur: float
    motion: float
    noise: float
    quality: int
    grain: int


def sized(view: View, height: int, width: int) -> View:
    """The same view as a picture of another size, in pixels."""
    return replace(view, framing=replace(view.framing, height=height, width=width))


def sample_view(spec: SynthesisSpec, identity: Identity, camera: int, index: int) -> View:
    """The view of picture `index` (from 1) of a person by `camera` (1 ... 6; "regdb": 1 visible, 2 thermal).

    The same for the same seed, person, camera and index, whatever else is drawn. Raises InputError for another camera.
    """
    cameras = CAMERAS if spec.mode == "sysu" else REGDB_CAMERAS
    if not 1 <= camera <= len(cameras):
        raise InputError(f"there is no camera {camera} in mode '{spec.mode}'. Use 1 to {len(cameras)}.")
    fixed = cameras[camera - 1]
    stream = Stream(spec.seed, "view", identity.person, camera, index)
    nuisance = spec.nuisance
    return View(
        camera=fixed,
        yaw=_draw_yaw(stream, _headings(spec, identity, fixed), nuisance),
        head_yaw=stream.normal(0.0, 18.0, -60.0, 60.0),
        pitch=stream.normal(fixed.pitch, 1.5, 2.0, 25.0),
        phase=stream.uniform(0.0, 360.0),
        walking=not stream.chance(0.22),
        stride=stream.normal(1.0, 0.08, 0.7, 1.3),
        habit=stream.chance(nuisance.habit_keep),
        framing=_draw_framing(stream, fixed, spec),
        light=_draw_light(stream, fixed),
        occluder=_draw_occluder(stream, nuisance.occluder),
        bystander=_draw_bystander(stream, nuisance.bystander),
        ground=0.74 - fixed.pitch * 0.016 + stream.normal(0.0, 0.03, -0.08, 0.08),
        backdrop=stream.uniform(),
        zoom=stream.uniform(0.85, 1.2),
        blur=nuisance.blur * fixed.blur * stream.uniform(0.6, 1.4),
        motion=stream.uniform(1.0, 3.0) * nuisance.blur if stream.chance(0.15) else 0.0,
        noise=nuisance.noise * fixed.noise * stream.uniform(0.7, 1.3),
        quality=int(stream.uniform(70.0, 94.0)),
        grain=stream.word(),
    )


def _headings(spec: SynthesisSpec, identity: Identity, camera: Camera) -> tuple[float, ...]:
    if spec.mode == "sysu":
        return camera.headings
    # A RegDB person is filmed on one walk: one heading for both bands.
    chosen = Stream(spec.seed, "walk", identity.person).uniform(0, len(camera.headings))
    return (camera.headings[int(chosen)],)


def _draw_yaw(stream: Stream, headings: tuple[float, ...], nuisance: Nuisance) -> float:
    heading = headings[int(stream.uniform(0.0, len(headings)))]
    near, anywhere = stream.normal(heading, nuisance.yaw_sd), stream.uniform(-180.0, 180.0)
    yaw = anywhere if stream.chance(nuisance.yaw_any) else near
    return yaw - 360.0 if yaw > 180.0 else yaw + 360.0 if yaw <= -180.0 else yaw


def _draw_framing(stream: Stream, camera: Camera, spec: SynthesisSpec) -> Framing:
    jitter = spec.nuisance.jitter
    height = stream.normal(camera.size, 0.16 * camera.size, 0.6 * camera.size, 1.45 * camera.size)
    aspect = stream.normal(0.42, 0.03, 0.34, 0.52)
    top, bottom = (stream.normal(0.04, jitter, -0.06, 0.14) for _ in range(2))
    shift = stream.normal(0.0, jitter, -0.08, 0.08)
    if spec.mode == "regdb":
        return Framing(128, 64, top, bottom, shift)
    tall = round(height * spec.nuisance.resolution)
    return Framing(tall, max(round(tall * aspect), 16), top, bottom, shift)


def _draw_light(stream: Stream, camera: Camera) -> Light:
    direction = stream.normal(0.0, 0.6), stream.uniform(0.7, 1.4), stream.uniform(0.2, 1.0)
    ambient, exposure = stream.uniform(0.45, 0.65), camera.exposure * stream.uniform(0.82, 1.2)
    warm = stream.normal(0.0, 0.03, -0.08, 0.08)
    red, green, blue = camera.tint
    if camera.band == "rgb":
        red, blue = red * (1.0 + warm), blue * (1.0 - warm)
    return Light(direction, ambient, exposure, (red, green, blue))


def _draw_occluder(stream: Stream, probability: float) -> Occluder | None:
    present = stream.chance(probability)
    kind = stream.choice({"bottom": 0.35, "left": 0.20, "right": 0.20, "rail": 0.25})
    occluder = Occluder(kind, stream.uniform(), stream.uniform(0.05, 0.6))
    return occluder if present else None


def _draw_bystander(stream: Stream, probability: float) -> Bystander | None:
    present = stream.chance(probability)
    person = FIRST_BYSTANDER + int(stream.uniform(0.0, 100_000.0))
    shift = stream.uniform(0.35, 0.62) * (1.0 if stream.chance(0.5) else -1.0)
    bystander = Bystander(person, shift, stream.chance(0.7), stream.uniform(-180.0, 180.0), stream.uniform(0.0, 360.0))
    return bystander if present else None
