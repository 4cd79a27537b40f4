"""A simulated 4D experiment: nanoparticles that sinter while they are imaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import dask.array as da
import numpy as np
import pandas as pd
from dask.delayed import delayed

from napari_tomo4d.data import Labels, TiltSeries, TimeSeries, Volume
from napari_tomo4d.dose import dose_e_per_nm2, electrons_per_pixel
from napari_tomo4d.errors import ParameterError
from napari_tomo4d.immutable import frozen
from napari_tomo4d.parameters import Param, check_parameters
from napari_tomo4d.progress import Progress
from napari_tomo4d.provenance import Provenance, jsonable, software_version
from napari_tomo4d.seals import stamped
from napari_tomo4d.simulate import render
from napari_tomo4d.simulate.microscope import detect
from napari_tomo4d.simulate.neck_growth import neck_growth
from napari_tomo4d.simulate.scene import Scene, centres_of_mass, place_clusters, scene_at

_FIELD_NM = 1024 * 1.04
_LAZY_BYTES = 512 * 1024**2
_X_START, _X_END = 0.3, 0.8
_BACKGROUND = 0.02
_EFFICIENCY = 0.5


class _Lazy(Sequence[Any]):
    """A sequence that makes its items when they are asked for."""

    def __init__(self, make: Callable[[int], Any], n: int) -> None:
        self._make, self._n = make, n

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._make(i) for i in range(*index.indices(self._n))]
        if not -self._n <= index < self._n:
            raise IndexError(index)
        return self._make(index % self._n)

    def __iter__(self) -> Iterator[Any]:
        return (self._make(i) for i in range(self._n))


@dataclass(frozen=True)
class SinteringTruth:
    """Everything that is known about a simulated experiment.

    Parameters
    ----------
    scenes : tuple of Scene
        Spheres and necks at each time.
    pairs : pandas.DataFrame
        A row per pair and time: ``time``, ``time_s``, ``a``, ``b`` (labels),
        ``neck_radius_nm``, ``distance_nm``, ``distance_xy_nm``, ``distance_z_nm``,
        ``radius_nm``, ``neck_ratio`` (r_n / r0), ``distance_ratio`` (d / 2 r0), ``aspect_ratio``
        (height over width of a particle in the section: 2 r0 / (r0 + d/2)), ``many_body``
        (pulled apart by others). Distances are those of the spheres, and of the centres of mass
        in an experiment with many-body motion.
    volumes, labels : sequence of Volume, of Labels
        Made when asked for. Density is 1 inside a particle.
    shifts_px : array (time, tilt, frame, 2)
        (dy, dx) by which the content of each frame was moved, at the middle of the scan.
    scan_drift_px : array (2,)
        Further movement (dy, dx) from the first to the last row of a frame.
    axis_shift_px, axis_rotation_deg : float
        Position of the tilt axis, and its angle from +y towards +x (for an axis along x:
        from +x towards +y).
    electrons_per_pixel : float
        Incident electrons per pixel of one frame.
    rate_per_s, exponent : float
        B and n of the law ``(r_n/r0)^n = x0^n + B t`` for the fastest pair.
    """

    scenes: tuple[Scene, ...]
    pairs: pd.DataFrame
    volumes: Sequence[Volume]
    labels: Sequence[Labels]
    shifts_px: np.ndarray
    scan_drift_px: np.ndarray
    axis_shift_px: float
    axis_rotation_deg: float
    electrons_per_pixel: float
    rate_per_s: float
    exponent: float
    _clean: Callable[[int, int, int], np.ndarray]

    def clean_image(self, time: int, tilt: int, frame: int = 0) -> np.ndarray:
        """Return the expected number of electrons of one frame, without any noise.

        Parameters
        ----------
        time, tilt, frame : int
            From 0.

        Returns
        -------
        array (y, x)
            Electrons per pixel, moved and distorted as the frame is.
        """
        return self._clean(time, tilt, frame)


def sintering(
    n_times: Annotated[int, Param("Number of time points.", minimum=1, maximum=200)] = 6,
    shape: Annotated[
        tuple[int, int, int],
        Param("Size of the volume (z, y, x); images are (y, x).", unit="px", minimum=8),
    ] = (96, 128, 128),
    seed: Annotated[int, Param("Another number gives another sample.", minimum=0)] = 0,
    max_tilt_deg: Annotated[
        float, Param("Tilts go from minus to plus this.", unit="°", minimum=1, maximum=90)
    ] = 40.0,
    tilt_step_deg: Annotated[
        float, Param("Angle between tilts.", unit="°", minimum=0.1, maximum=45)
    ] = 2.0,
    pixel_size_nm: Annotated[
        float | None,
        Param("Empty: the field is 1065 nm wide.", unit="nm", minimum=0.001, maximum=1000),
    ] = None,
    radius_nm: Annotated[
        float, Param("Mean particle radius.", unit="nm", minimum=0.1, maximum=10000)
    ] = 75.0,
    probe_current_pa: Annotated[
        float, Param("Beam current.", unit="pA", minimum=0.001, maximum=1e5)
    ] = 2.0,
    dwell_time_ns: Annotated[
        float, Param("Time per pixel.", unit="ns", minimum=1, maximum=1e7)
    ] = 500.0,
    frames_per_tilt: Annotated[int, Param("Scans of each tilt.", minimum=1, maximum=100)] = 1,
    scan_noise_e: Annotated[
        float,
        Param("Noise correlated along the scan lines, RMS.", unit="electrons", minimum=0),
    ] = 0.2,
    drift_px: Annotated[
        float, Param("RMS shift between tilts, and 1/4 of it between frames.", unit="px", minimum=0)
    ] = 0.0,
    scan_drift_px: Annotated[
        tuple[float, float], Param("Drift (dy, dx) during a scan.", unit="px")
    ] = (0.0, 0.0),
    axis_shift_px: Annotated[
        float, Param("Position of the tilt axis from the image centre.", unit="px")
    ] = 0.0,
    axis_rotation_deg: Annotated[
        float, Param("Rotation of the tilt axis.", unit="°", minimum=-45, maximum=45)
    ] = 0.0,
    tilt_axis: Annotated[
        str, Param("Image axis the tilt axis is near to.", choices=("y", "x"))
    ] = "y",
    duration_s: Annotated[
        float, Param("Time from the first to the last point.", unit="s", minimum=1)
    ] = 3600.0,
    temperature_c: Annotated[float, Param("Stage temperature.", unit="°C")] = 350.0,
    neck_exponent: Annotated[
        float, Param("n of the neck growth law.", minimum=1, maximum=20)
    ] = 6.0,
    many_body: Annotated[
        bool, Param("One pair is pulled apart by others while its neck grows.")
    ] = False,
    *,
    lazy: bool | None = None,
    progress: Progress | None = None,
) -> tuple[TimeSeries[TiltSeries], SinteringTruth]:
    """Simulate HAADF-STEM tilt series of nanoparticles at several times of their sintering.

    Parameters
    ----------
    n_times : int
        Number of time points, evenly over `duration_s`.
    shape : tuple (z, y, x)
        Volume in pixels; images are (y, x).
    seed : int
        Of the sample, the drift and the noise.
    max_tilt_deg, tilt_step_deg : float
        Tilts; +-40 degrees in steps of 2 make the 41 of a heating holder's wedge.
    pixel_size_nm : float, optional
        By default such that the longer image edge is 1065 nm.
    radius_nm : float
        Mean radius; groups differ by up to 15 %.
    probe_current_pa, dwell_time_ns : float
        Dose; the defaults give 6.2 electrons per pixel (Nanoscale 2023, 15, 10133).
    frames_per_tilt : int
    scan_noise_e : float
        RMS in electrons of 1/f noise along the fast scan direction x.
    drift_px : float
        RMS of the random position of each tilt; frames of a tilt walk by a quarter of it.
    scan_drift_px : tuple (dy, dx)
        Linear drift during each scan.
    axis_shift_px, axis_rotation_deg : float
        Misalignment of the tilt axis; not told to the series, only to the truth.
    tilt_axis : {"y", "x"}
    duration_s, temperature_c : float
    neck_exponent : float
        n in ``(r_n/r0)^n = x0^n + B t``; the fastest pair goes from 0.3 to 0.8.
    many_body : bool
        In a group of three the last pair moves apart while its neck grows, as forces
        of further particles make it do; its distance does not follow the curve of two spheres.
    lazy : bool, optional
        Compute images when they are used; by default above 512 MB.
    progress : Progress, optional

    Returns
    -------
    experiment : TimeSeries of TiltSeries
        Images in detected electrons, float32.
    truth : SinteringTruth

    Notes
    -----
    Groups of equal spheres are joined by cylindrical necks at constant volume, see
    `two_sphere_curve`. Projections are exact lengths of rays inside the solids,
    averaged over each pixel. A particle of the mean diameter scatters half of the electrons
    onto the detector, proportionally to thickness; 2 % are background.
    """
    given = {k: v for k, v in locals().items() if k not in ("lazy", "progress")}
    given = check_parameters(sintering, given)
    n_z, n_y, n_x = given["shape"]
    if tilt_axis == "x":
        # simulated with the axis along y, and turned over at the end
        n_y, n_x = n_x, n_y
    progress = progress or Progress()
    size = pixel_size_nm or _FIELD_NM / max(n_y, n_x)
    angles = np.arange(-max_tilt_deg, max_tilt_deg + tilt_step_deg / 2, tilt_step_deg)
    if len(angles) < 2:
        raise ParameterError("The tilt step is larger than the tilt range; give a smaller step.")
    times = np.linspace(0, duration_s, n_times) if n_times > 1 else np.zeros(1)

    rng = np.random.default_rng([seed, 0])
    box = np.array([n_z, n_y, n_x]) * size
    clusters = place_clusters(box, radius_nm, rng, many_body=many_body)
    necks, rate = neck_growth(times, _X_START, _X_END, neck_exponent)
    scenes = tuple(scene_at(clusters, x, _X_START) for x in necks)
    shifts = _drift(n_times, len(angles), frames_per_tilt, drift_px, rng)
    per_pixel = electrons_per_pixel(probe_current_pa, dwell_time_ns)
    per_length = _EFFICIENCY * per_pixel * size / (2 * radius_nm)

    def clean(time: int, tilt: int, frame: int) -> np.ndarray:
        image = np.empty((n_y, n_x))
        drift = shifts[time, tilt, frame]
        scan = np.array(scan_drift_px, float)
        if tilt_axis == "x":
            # drift is stated in the axes of the image, the scan goes along its x
            drift, scan = drift[::-1], np.zeros(2)
        render.path_lengths(
            image,
            *scenes[time].in_pixels(size),
            np.deg2rad(angles[tilt]),
            axis_shift_px,
            np.deg2rad(axis_rotation_deg),
            # `drift` is meant for the middle of the scan
            drift - scan / 2,
            scan,
            2,
        )
        image = image.T if tilt_axis == "x" else image
        return _BACKGROUND * per_pixel + per_length * image

    def image(time: int, tilt: int, frame: int) -> np.ndarray:
        noise = np.random.default_rng([seed, 1, time, tilt, frame])
        return detect(clean(time, tilt, frame), scan_noise_e, noise)

    n_images = n_times * len(angles) * frames_per_tilt
    lazy = 4 * n_images * n_y * n_x > _LAZY_BYTES if lazy is None else lazy
    make_stack = _lazy_stack if lazy else _eager_stack
    image_shape = given["shape"][1:]
    series = []
    for t, time_s in enumerate(times):
        part = progress.part(t, n_times, f"Simulating {time_s:.0f} s")
        images = make_stack(image, t, len(angles), frames_per_tilt, image_shape, part)
        series.append(
            TiltSeries(
                images,
                angles,
                size,
                given["tilt_axis"],
                dose_e_per_nm2=dose_e_per_nm2(
                    probe_current_pa, dwell_time_ns, size, len(angles) * frames_per_tilt
                ),
                name=f"{time_s:.0f} s",
                metadata={"unit": "electrons"},
            )
        )
    provenance = Provenance("simulate.sintering", jsonable(given), software=software_version())
    experiment = stamped(
        TimeSeries(series, times, np.full(n_times, temperature_c), "sintering"), provenance
    )
    truth = SinteringTruth(
        scenes=scenes,
        pairs=_pair_table(scenes, times),
        volumes=_Lazy(lambda t: _voxels(scenes[t], given["shape"], size, tilt_axis)[0], n_times),
        labels=_Lazy(lambda t: _voxels(scenes[t], given["shape"], size, tilt_axis)[1], n_times),
        shifts_px=shifts,
        scan_drift_px=np.array(scan_drift_px),
        axis_shift_px=axis_shift_px,
        axis_rotation_deg=axis_rotation_deg,
        electrons_per_pixel=per_pixel,
        rate_per_s=rate,
        exponent=neck_exponent,
        _clean=clean,
    )
    return experiment, truth


def _drift(
    n_times: int, n_tilts: int, n_frames: int, rms_px: float, rng: np.random.Generator
) -> np.ndarray:
    tilts = rng.normal(0, 1, (n_times, n_tilts, 1, 2)) * rms_px
    frames = np.cumsum(rng.normal(0, 1, (n_times, n_tilts, n_frames, 2)) * rms_px / 4, axis=2)
    return tilts + frames - frames[:, :, :1]


def _eager_stack(
    image: Callable[[int, int, int], np.ndarray],
    time: int,
    n_tilts: int,
    n_frames: int,
    shape: tuple[int, int],
    progress: Progress,
) -> np.ndarray:
    stack = np.empty((n_tilts, n_frames, *shape), np.float32)
    for tilt in range(n_tilts):
        for frame in range(n_frames):
            stack[tilt, frame] = image(time, tilt, frame)
        progress.report(tilt + 1, n_tilts)
    return frozen(stack if n_frames > 1 else stack[:, 0])


def _lazy_stack(
    image: Callable[[int, int, int], np.ndarray],
    time: int,
    n_tilts: int,
    n_frames: int,
    shape: tuple[int, int],
    progress: Progress,
) -> da.Array:
    make = delayed(image, pure=True)
    tilts = [
        da.stack([da.from_delayed(make(time, i, f), shape, np.float32) for f in range(n_frames)])
        for i in range(n_tilts)
    ]
    stack = da.stack(tilts)
    progress.report(1, 1)
    result: da.Array = stack if n_frames > 1 else stack[:, 0]
    return result


def _voxels(
    scene: Scene, shape: tuple[int, int, int], size_nm: float, tilt_axis: str
) -> tuple[Volume, Labels]:
    turned = tilt_axis == "x"
    n_z, n_y, n_x = (shape[0], shape[2], shape[1]) if turned else shape
    density = np.empty((n_z, n_y, n_x), np.float32)
    labels = np.empty((n_z, n_y, n_x), np.int32)
    render.voxels(density, labels, *scene.in_pixels(size_nm))
    arrays: list[Any] = [density, labels]
    if turned:
        arrays = [np.ascontiguousarray(a.swapaxes(1, 2)) for a in arrays]
    volume, particles = map(frozen, arrays)
    return Volume(volume, size_nm, name="truth"), Labels(particles, size_nm, name="true particles")


def _pair_table(scenes: Sequence[Scene], times_s: np.ndarray) -> pd.DataFrame:
    rows = []
    for t, scene in enumerate(scenes):
        # with a pulled pair volumes are not conserved, and spheres say little
        centres = centres_of_mass(scene) if scene.pulled.any() else scene.centres_nm
        necks = zip(scene.pairs, scene.neck_radii_nm, scene.pulled, strict=True)
        for (a, b), neck, pulled in necks:
            step = centres[b] - centres[a]
            distance, radius = float(np.linalg.norm(step)), float(scene.radii_nm[a])
            rows.append(
                {
                    "time": t,
                    "time_s": float(times_s[t]),
                    "a": int(a) + 1,
                    "b": int(b) + 1,
                    "neck_radius_nm": float(neck),
                    "distance_nm": distance,
                    "distance_xy_nm": float(np.hypot(step[1], step[2])),
                    "distance_z_nm": float(abs(step[0])),
                    "radius_nm": radius,
                    "neck_ratio": float(neck) / radius,
                    "distance_ratio": distance / (2 * radius),
                    "aspect_ratio": 2 * radius / (radius + distance / 2),
                    "many_body": bool(pulled),
                }
            )
    return pd.DataFrame(rows)
