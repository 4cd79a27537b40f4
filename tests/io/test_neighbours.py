"""Made-up files near to those that people have: each is read right, or refused with a reason."""

from __future__ import annotations

import struct

import h5py
import mrcfile
import numpy as np
import pytest
import tifffile

import napari_tomo4d as t4
from napari_tomo4d.errors import ReadError
from napari_tomo4d.io import read_angles, read_mdoc, to_nm
from napari_tomo4d.io.gather import matching
from napari_tomo4d.io.names import angles_from_names

pytestmark = pytest.mark.filterwarnings("ignore::napari_tomo4d.errors.Tomo4DWarning")

NUMBERS = pytest.mark.parametrize("number", [20, pytest.param(300, marks=pytest.mark.slow)])


def angles_of(rng, decimals=None):
    """Return the angles of a series and their texts with the same number of decimals."""
    n = int(rng.integers(8, 62))
    step = rng.choice([0.5, 1, 1.5, 2, 3, 5]) if rng.random() < 0.7 else rng.uniform(0.4, 4)
    angles = (np.arange(n) - rng.integers(0, n)) * step + rng.choice([0, 0.25, 0.5])
    angles = angles[np.abs(angles) < 90]
    order = rng.integers(0, 3)
    if order == 1:
        angles = angles[::-1]
    elif order == 2:
        angles = angles[np.argsort(np.abs(angles), kind="stable")]
    decimals = int(rng.integers(1, 5)) if decimals is None else decimals
    texts = [f"{a:.{decimals}f}" for a in angles]
    return np.array([float(t) for t in texts]), texts


def right_or_refused(number, make, seed):
    """Check that most of the cases that `make` makes are right, and the others refused."""
    refused = []
    for k in range(number):
        rng = np.random.default_rng([seed, k])
        try:
            make(rng)
        except ReadError as error:
            refused.append(str(error))
        except AssertionError as error:
            raise AssertionError(f"case {k}: {error}") from error
    assert all("\n" not in text and len(text) < 400 for text in refused)
    assert len(refused) <= number / 4, refused[:3]


@NUMBERS
def test_tables(tmp_path, number):
    def make(rng):
        angles, texts = angles_of(rng)
        n = len(texts)
        separator = str(rng.choice([",", ";", "\t", " ", "   "]))
        comma = separator != "," and rng.random() < 0.4
        if comma:
            texts = [t.replace(".", ",") for t in texts]
        columns, names = [texts], [str(rng.choice(["angle", "Tilt angle", "TiltAngle (deg)"]))]
        if rng.random() < 0.5:
            start = int(rng.integers(0, 2))
            columns.insert(0, [str(i + start) for i in range(n)])
            names.insert(0, str(rng.choice(["image", "tilt", "No", "#"])))
        if rng.random() < 0.3:
            columns.append(["1,5" if comma else "1.5"] * n)
            names.append("dose")
        if rng.random() < 0.2:
            columns.insert(0, [f"img_{i:03d}" for i in range(n)])
            names.insert(0, "file")
        lines = [separator.join(row) for row in zip(*columns, strict=True)]
        if rng.random() < 0.5:
            if separator[0] == " ":
                names = [name.replace(" ", "_") for name in names]
            lines.insert(0, separator.join(names))
        if rng.random() < 0.3:
            lines.insert(0, "# tilts of a series, in degrees")
        end = str(rng.choice(["\n", "\r\n"]))
        text = end.join(lines) + (end if rng.random() < 0.8 else "")
        path = tmp_path / "table.csv"
        path.write_bytes(text.encode(str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))))
        np.testing.assert_allclose(read_angles(path), angles, atol=1e-9, err_msg=text[:200])

    right_or_refused(number, make, 1)


@NUMBERS
def test_serialem_texts(tmp_path, number):
    def make(rng):
        angles, texts = angles_of(rng)
        order = rng.permutation(len(texts)) if rng.random() < 0.5 else np.arange(len(texts))
        text = "PixelSpacing = 7.5\nImageFile = Größe 5 µm.mrc\n\n"
        text += f"[T =     Tilt axis angle = {rng.uniform(-95, 95):.1f}, binning = 1]\n\n"
        for z in order:
            text += f"[ZValue = {z}]\nTiltAngle = {texts[z]}\nStageZ = 3.5\n\n"
        text = text.replace("\n", str(rng.choice(["\n", "\r\n"])))
        cut = rng.random() < 0.3
        if cut:
            text = text[: rng.integers(len(text) // 2, len(text))]
        path = tmp_path / "a.mdoc"
        path.write_bytes(text.encode(str(rng.choice(["utf-8", "cp1252", "utf-16"]))))
        found = read_mdoc(path)
        assert found.pixel_size_nm == 0.75
        if len(found.angles_deg) == len(angles) or not cut:
            np.testing.assert_allclose(found.angles_deg, angles)

    right_or_refused(number, make, 2)


@NUMBERS
def test_mrc_headers(tmp_path, number):
    path = tmp_path / "a.mrc"

    def make(rng):
        mode, dtype = [
            (0, "i1"),
            (0, "u1"),
            (1, "i2"),
            (2, "f4"),
            (6, "u2"),
            (12, "f2"),
            (101, ""),
        ][rng.integers(0, 7)]
        nz, ny, nx = (int(v) for v in rng.integers(2, 9, 3))
        order = "<>"[rng.integers(0, 2)]
        head = bytearray(1024)
        size = float(rng.choice([0, 1, 2.5, 13]))
        high = 16 if mode == 101 else 128 if dtype == "i1" else 256
        data = rng.integers(-high if dtype == "i1" else 0, high, (nz, ny, nx))
        data[0, 0, 0] = high - 1
        extended = bytes(int(rng.choice([0, 0, 1024])))
        struct.pack_into(order + "10i", head, 0, nx, ny, nz, mode, 0, 0, 0, nx, ny, nz)
        struct.pack_into(order + "3f", head, 40, nx * size, ny * size, nz * size)
        struct.pack_into(order + "3f", head, 76, data.min(), data.max(), data.mean())
        struct.pack_into(order + "2i", head, 88, int(rng.integers(0, 2)), len(extended))
        head[208:212] = b"MAP "
        if mode == 0 and rng.random() < 0.5:
            struct.pack_into(order + "2i", head, 152, 1146047817, int(dtype == "i1"))
        # the stamp of the machine may be missing or be that of another
        stamp = rng.integers(0, 3)
        right = b"\x44\x44" if order == "<" else b"\x11\x11"
        head[212:214] = [right, b"\0\0", right][stamp]
        if mode == 101:
            padded = np.zeros((nz, ny, nx + nx % 2), "u1")
            padded[..., :nx] = data
            pixels = (padded[..., ::2] | padded[..., 1::2] << 4).tobytes()
        else:
            pixels = data.astype(order + dtype).tobytes()
        path.write_bytes(bytes(head) + extended + pixels)
        volume = t4.read(path, kind="volume", lazy=bool(rng.integers(0, 2)))
        np.testing.assert_array_equal(volume.data, data)
        assert volume.pixel_size_nm == (pytest.approx(size / 10) if size else None)

    right_or_refused(number, make, 3)


@NUMBERS
def test_tiffs(tmp_path, number):
    path = tmp_path / "a.tif"

    def make(rng):
        shape = tuple(int(v) for v in rng.integers(5, 12, 3))
        dtype = str(rng.choice(["u1", "i2", "u2", "f4"]))
        data = rng.integers(0, 99, shape).astype(dtype)
        path.unlink(missing_ok=True)
        kind = rng.integers(0, 4)
        size = None
        order = "<>"[rng.integers(0, 2)]
        if kind == 0:
            for image in data:
                tifffile.imwrite(path, image, append=True, byteorder=order)
        elif kind == 1:
            packed = str(rng.choice(["", "zlib"])) or None
            tifffile.imwrite(
                path, data, byteorder=order, photometric="minisblack", compression=packed
            )
        elif kind == 2:
            data = data.astype("u2" if dtype == "i2" else dtype)
            unit, nm = [("nm", 1), ("micron", 1e3), ("\\u00B5m", 1e3), ("\\u00C5", 0.1)][
                rng.integers(0, 4)
            ]
            tifffile.imwrite(
                path, data, imagej=True, resolution=(4, 4), metadata={"unit": unit, "axes": "ZYX"}
            )
            size = nm / 4
        else:
            unit, nm = [("nm", 1), ("µm", 1e3), ("Å", 0.1), ("pm", 1e-3)][rng.integers(0, 4)]
            tifffile.imwrite(
                path,
                data,
                ome=True,
                metadata={
                    "axes": "ZYX",
                    "PhysicalSizeX": 0.5,
                    "PhysicalSizeXUnit": unit,
                    "PhysicalSizeY": 0.5,
                    "PhysicalSizeYUnit": unit,
                },
            )
            size = nm / 2
        angles = np.linspace(-60, 60, shape[0])
        series = t4.read(path, angles, tilt_axis="y", lazy=bool(rng.integers(0, 2)))
        np.testing.assert_array_equal(series.load(), data)
        assert series.pixel_size_nm == (size and pytest.approx(size))

    right_or_refused(number, make, 4)


@NUMBERS
def test_names_of_files(tmp_path, number):
    def make(rng):
        angles, texts = angles_of(rng, decimals=int(rng.integers(0, 3)))
        keep = sorted({t: i for i, t in enumerate(texts)}.values())
        angles, texts = angles[keep], [texts[i] for i in keep]
        if rng.random() < 0.5:
            texts = [t if t.startswith("-") else f"+{t}" for t in texts]
        head = str(rng.choice(["ts", "Pt_2024-05-01", "run 3", "a_b", "STEM 200kV"]))
        count = bool(rng.integers(0, 2))
        before, after = [("_", ""), ("_tilt_", ""), ("[", "]"), (" ", "deg"), ("_", "_HAADF")][
            rng.integers(0, 5)
        ]
        names = [
            f"{head}{f'_{i:03d}' if count else ''}{before}{t}{after}.tif"
            for i, t in enumerate(texts)
        ]
        paths = [tmp_path / name for name in names]
        found = angles_from_names(paths)
        if found is None:
            raise ReadError(f"no angles in {names[0]} or {names[-1]}")
        np.testing.assert_allclose(found, angles, err_msg=names[0])

    right_or_refused(number, make, 5)


@NUMBERS
def test_axes_of_emd(tmp_path, number):
    path = tmp_path / "a.emd"

    def make(rng):
        n, ny, nx = (int(v) for v in rng.integers(5, 9, 3))
        data = rng.random((n, ny, nx)).astype("f4")
        angles = np.sort(rng.uniform(-70, 70, n)).astype("f4")
        radians = rng.random() < 0.2
        unit = str(rng.choice(["[rad]"] if radians else ["[deg]", "deg", "°", "degrees"]))
        length, nm = [("[n_m]", 1), ("nm", 1), ("Å", 0.1), ("[u_m]", 1e3)][rng.integers(0, 4)]
        step = 0.25
        axes = [
            (np.deg2rad(angles) if radians else angles, "angles", unit),
            (step * np.arange(ny), "y", length),
            (step * np.arange(nx), "x", length),
        ]
        order = [(0, 1, 2), (2, 1, 0), (1, 2, 0)][rng.integers(0, 3)]
        with h5py.File(path, "w") as file:
            group = file.create_group("data/tomography")
            group.attrs["emd_group_type"] = 1
            group["data"] = data.transpose(order)
            for i, k in enumerate(order):
                group[f"dim{i + 1}"] = np.asarray(axes[k][0])
                group[f"dim{i + 1}"].attrs.update(name=axes[k][1], units=axes[k][2])
        series = t4.read(path, tilt_axis="y", lazy=bool(rng.integers(0, 2)))
        np.testing.assert_allclose(series.angles_deg, angles, atol=1e-4)
        np.testing.assert_array_equal(series.load(), data)
        assert series.pixel_size_nm == pytest.approx(step * nm)

    right_or_refused(number, make, 6)


@NUMBERS
def test_folders_of_imod(tmp_path, number):
    def make(rng):
        stem = str(rng.choice(["BB", "Pt 1.5nm", "[2024] Pt", "a_-60", "S.ome"]))
        folder = tmp_path / f"{rng.integers(0, 10**9)}"
        folder.mkdir()
        upper = rng.random() < 0.3

        def named(suffix):
            return folder / (f"{stem}{suffix}".upper() if upper else f"{stem}{suffix}")

        def stack(path, n, volume):
            data = rng.integers(0, 99, (n, 4, 5)).astype("i2")
            with mrcfile.new(path, data) as mrc:
                (mrc.set_volume if volume else mrc.set_image_stack)()
                mrc.voxel_size = 7.5
            return data

        angles, texts = angles_of(rng)
        n = len(texts)
        marked = rng.random() < 0.5
        images = stack(named(str(rng.choice([".st", ".mrc"]))), n, marked and rng.random() < 0.5)
        raw = next(folder.iterdir())
        named(".rawtlt").write_bytes("\r\n".join([*texts, ""]).encode())
        if rng.random() < 0.5:
            named(".tlt").write_text("".join(f"{a + 0.3:.3f}\n" for a in angles))
        slices = n if rng.random() < 0.5 else n + 3
        volume = None
        if rng.random() < 0.7:
            volume = stack(named(".rec"), slices, marked)
        if rng.random() < 0.5:
            stack(named(".ali"), n - 1, marked)
        series = t4.read(raw, tilt_axis="y")
        np.testing.assert_allclose(series.angles_deg, angles, err_msg=raw.name)
        np.testing.assert_array_equal(series.images, images)
        whole = t4.read(folder, tilt_axis="y")
        np.testing.assert_array_equal(whole.images, images)
        if volume is not None:
            found = t4.read(named(".rec"))
            assert isinstance(found, t4.Volume)
            np.testing.assert_array_equal(found.data, volume)

    right_or_refused(number, make, 8)


@NUMBERS
def test_patterns_of_times(tmp_path, number):
    def make(rng):
        unit, seconds = [("s", 1), ("min", 60), ("h", 3600), ("", 1), ("sec", 1)][
            rng.integers(0, 5)
        ]
        head = str(rng.choice(["run_", "[2024] Pt ", "a?b_", "heat (2)_", "x+y_"]))
        folder = tmp_path / f"{rng.integers(0, 10**9)}"
        folder.mkdir()
        times = np.unique(rng.integers(0, 2000, 6))
        for time in rng.permutation(times):
            (folder / f"{head}{time}{unit}.mrc").touch()
        # the unit may be left out of the pattern
        tail = unit if rng.random() < 0.5 else ""
        paths, found = matching(f"{folder}/{head}{{time}}{tail}.mrc")
        assert dict(zip([p.name for p in paths], found, strict=True)) == {
            f"{head}{t}{unit}.mrc": t * seconds for t in times
        }

    right_or_refused(number, make, 7)


def test_units():
    for unit in ("nm", "[nm]", "n_m", "Nanometers", "nanometre", b"nm"):
        assert to_nm(3, unit) == pytest.approx(3)
    for unit in ("Å", "\u212b", "\\u00C5", "A", "angstroms", "Angstrom"):
        assert to_nm(3, unit) == pytest.approx(0.3)
    for unit in ("um", "µm", "\u03bcm", "microns", "micrometres", "\\u00B5m"):
        assert to_nm(3, unit) == pytest.approx(3000)
    for unit in ("furlong", "", None, "px", "1/nm", "mrad"):
        assert to_nm(3, unit) is None
    assert to_nm(0, "nm") is None
