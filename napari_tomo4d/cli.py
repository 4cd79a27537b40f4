"""The command line: open the application, look into files, run recipes."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from napari_tomo4d.errors import Cancelled, DataError, Tomo4DError
from napari_tomo4d.parameters import Parameters
from napari_tomo4d.progress import Preview, Progress
from napari_tomo4d.provenance import warnings_only_kept
from napari_tomo4d.version import __version__

# wrong usage ends with 2, which is argparse's own
EXIT_OK, EXIT_ERROR, EXIT_CANCELLED = 0, 1, 130

_EPILOG = """\
examples:
  napari-tomo4d                            open the application
  napari-tomo4d open HAADF.mrc             open it with a tilt series
  napari-tomo4d info HAADF.mrc             what is in the file, without loading it
  napari-tomo4d demo                       open it with a simulated sintering experiment
  napari-tomo4d run recipe.toml            repeat a saved session without a window
  napari-tomo4d steps reconstruct.sirt     what a step does and its parameters
  napari-tomo4d report labels.ome.zarr -o report.html
                                           measure particles and necks, write a report

exit codes: 0 done, 1 an error that is explained, 2 wrong usage, 130 cancelled (Ctrl+C)
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those the program was called with if None.

    Returns
    -------
    int
        Exit code.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        # a result carries these; they are printed once, at the end
        with warnings_only_kept():
            return int(options.command(options))
    except (Cancelled, KeyboardInterrupt) as stop:
        print(str(stop) or "Cancelled; nothing half written is left.", file=sys.stderr)
        return EXIT_CANCELLED
    except Tomo4DError as error:
        print(f"napari-tomo4d: {error}", file=sys.stderr)
        return EXIT_ERROR
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="napari-tomo4d",
        description="4D electron tomography of nanoparticles, from files to figures.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"napari-tomo4d {__version__}")
    parser.set_defaults(command=_open, files=[], screenshot=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add(
        name: str, command: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(command=command)
        return sub

    sub = add("open", _open, "open the application with files")
    sub.add_argument("files", nargs="*", metavar="FILE", help="tilt series, volumes or folders")
    sub.add_argument("--screenshot", metavar="PNG", help="save a picture of the window and leave")

    sub = add("demo", _demo, "open the application with a simulated 4D sintering experiment")
    sub.add_argument("--screenshot", metavar="PNG", help="save a picture of the window and leave")

    sub = add("info", _info, "say what is in files without loading their images")
    sub.add_argument("files", nargs="+", metavar="FILE", help="tilt series, volumes or folders")

    sub = add("run", _run, "run a recipe without a window")
    sub.add_argument("recipe", metavar="RECIPE", help="TOML file, as saved by the application")
    sub.add_argument("--input", metavar="PATH", help="read this instead of the recipe's input")
    sub.add_argument(
        "--output", metavar="PATH", help="write to here instead of the recipe's output"
    )
    sub.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    sub.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler, tcp://host:8786")
    sub.add_argument(
        "--memory",
        metavar="GB",
        type=float,
        help="reconstruct slab by slab within so much memory, into an .ome.zarr",
    )
    sub.add_argument("--quiet", action="store_true", help="no progress bar")

    sub = add("steps", _steps, "list the steps of recipes, or explain one")
    sub.add_argument("step", nargs="?", metavar="STEP", help="name of a step")

    sub = add("report", _report, "measure labelled particles and write a report")
    sub.add_argument("labels", metavar="LABELS", help="labels of one time, or of several")
    sub.add_argument("--volumes", metavar="PATH", help="what was segmented, to be shown")
    sub.add_argument("-o", "--output", metavar="HTML", required=True, help="the report's file")
    sub.add_argument("--title", metavar="TEXT", help="heading of the report")
    sub.add_argument(
        "--pixel-size",
        metavar="NM",
        type=_voxel_size,
        help="voxel size, instead of the file's; Z,Y,X where voxels are not cubic",
    )
    sub.add_argument("--overwrite", action="store_true", help="replace a report that exists")
    sub.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def _voxel_size(text: str) -> Any:
    """Return a voxel size from "2" or "2,1,1"."""
    from napari_tomo4d.voxels import as_voxel_size

    parts = text.split(",")
    try:
        return as_voxel_size(parts if len(parts) > 1 else text)
    except DataError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _open(options: argparse.Namespace) -> int:
    from napari_tomo4d.gui.app import open_application

    return open_application(options.files, screenshot=options.screenshot)


def _demo(options: argparse.Namespace) -> int:
    from napari_tomo4d.gui.app import open_application

    return open_application([], demo=True, screenshot=options.screenshot)


def _info(options: argparse.Namespace) -> int:
    from napari_tomo4d.io import describe

    code = EXIT_OK
    for path in options.files:
        try:
            description = describe(path)
        except Tomo4DError as error:
            print(f"napari-tomo4d: {error}", file=sys.stderr)
            code = EXIT_ERROR
            continue
        print(path)
        width = max(map(len, description))
        for key, value in description.items():
            for line in value if isinstance(value, list) else [value]:
                print(f"  {key:<{width}}  {line}")
                key = ""
    return code


def _run(options: argparse.Namespace) -> int:
    import dataclasses
    from pathlib import Path

    from napari_tomo4d.pipeline import read_recipe, run_recipe

    recipe = read_recipe(options.recipe)
    here = Path.cwd()
    changes: Parameters = {}
    if options.input is not None:
        kept = {k: v for k, v in recipe.input.items() if k not in ("path", "simulate")}
        kept = {} if "simulate" in recipe.input else kept
        changes["input"] = {**kept, "path": str(here / options.input)}
    if options.output is not None:
        changes["output"] = {**recipe.output, "path": str(here / options.output)}
    recipe = dataclasses.replace(recipe, **changes)
    written = [recipe.resolve(recipe.output[k]) for k in ("path", "report") if k in recipe.output]
    if not written:
        raise Tomo4DError(
            "The recipe does not say where the result goes; add [output] path or report, or use "
            "--output."
        )
    with _Bar(disable=options.quiet) as progress:
        result = run_recipe(
            recipe,
            scheduler=options.scheduler,
            progress=progress,
            memory_gb=options.memory,
            overwrite=options.overwrite or None,
        )
    print(f"{result!r} -> {', '.join(written)}")
    residuals: Any = getattr(result, "residuals", ())
    if len(residuals):
        print(f"relative residual {residuals[-1]:.4f} after {len(residuals)} iterations")
    if result.provenance is not None:
        for message in result.provenance.all_notes():
            print(message)
        for message in result.provenance.all_warnings():
            print(f"warning: {message}", file=sys.stderr)
    return EXIT_OK


def _steps(options: argparse.Namespace) -> int:
    from napari_tomo4d.pipeline import get_step, steps_of
    from napari_tomo4d.registry import KIND_NAMES

    if options.step is None:
        steps = steps_of()
        width = max(len(step.name) for step in steps)
        for step in steps:
            print(f"{step.name:<{width}}  {step.summary}")
        return EXIT_OK
    step = get_step(options.step)
    print(f"{step.name}: {step.summary}")
    print(f"takes: {KIND_NAMES[step.takes]}, gives: {KIND_NAMES[step.gives]}")
    for parameter in step.parameters.values():
        default = "required" if parameter.required else f"default {parameter.default}"
        unit = f" {parameter.param.unit}" if parameter.param.unit else ""
        print(f"  {parameter.name} ({default}{unit})")
        print(f"      {parameter.param.help}{_range_text(parameter.param)}")
    return EXIT_OK


def _report(options: argparse.Namespace) -> int:
    from napari_tomo4d.io import read
    from napari_tomo4d.measure.report.report import write_report
    from napari_tomo4d.whole_files import check_free

    check_free(options.output, overwrite=options.overwrite)
    size = options.pixel_size
    labels = read(options.labels, pixel_size_nm=size, kind="labels")
    volumes = options.volumes
    if volumes is not None:
        volumes = read(volumes, pixel_size_nm=size, kind="volume")
    with _Bar(disable=options.quiet) as progress:
        path = write_report(
            options.output,
            labels,
            volumes=volumes,
            title=options.title,
            overwrite=options.overwrite,
            progress=progress,
        )
    print(f"{labels!r} -> {path}")
    return EXIT_OK


def _range_text(param: Any) -> str:
    if param.choices:
        return f" One of {', '.join(param.choices)}."
    if param.minimum is not None and param.maximum is not None:
        return f" {param.minimum:g} to {param.maximum:g}."
    if param.minimum is not None:
        return f" At least {param.minimum:g}."
    return ""


class _Bar(Progress):
    """A progress bar in the terminal; Ctrl+C stops the run between two reports."""

    def __init__(self, disable: bool = False) -> None:
        super().__init__()
        from tqdm import tqdm

        layout = "{desc}  {percentage:3.0f}% |{bar}| {elapsed} < {remaining}"
        # no bar in a log file
        hidden = disable or not sys.stderr.isatty()
        self._bar = tqdm(total=1.0, bar_format=layout, disable=hidden)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, done: float, total: float, message: str, preview: Preview | None) -> None:
        self._bar.set_description_str(message[:60], refresh=False)
        self._bar.n = done / total if total else 1.0
        self._bar.refresh()


if __name__ == "__main__":
    sys.exit(main())
