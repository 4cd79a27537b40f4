"""Set up and start napari-tomo4d, test it or check it, with nothing but Python.

    python3 run.py                 open the application with a simulated experiment
    python3 run.py test [...]      run the tests; further words go to pytest, --slow adds slow ones
    python3 run.py check           style, types, who imports whom, and the documentation
    python3 run.py open FILE ...   open files; any command of napari-tomo4d works here

The first start makes a virtual environment in .venv and installs everything into it; later
starts take seconds. Without a display (on Linux) the application runs on a virtual one
and saves a picture of its window.
"""
# This file has to be readable by old Pythons too, so that they can say they are too old.

import ctypes.util
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "napari-tomo4d.stamp")
OLDEST = (3, 11)

# Qt's and OpenGL's libraries by the name a program loads them, and Debian's package of each
LIBRARIES = (
    ("GL", "libgl1"),
    ("EGL", "libegl1"),
    ("xkbcommon-x11", "libxkbcommon-x11-0"),
    ("dbus-1", "libdbus-1-3"),
    ("xcb-icccm", "libxcb-icccm4"),
    ("xcb-keysyms", "libxcb-keysyms1"),
    ("xcb-xinerama", "libxcb-xinerama0"),
    ("xcb-image", "libxcb-image0"),
    ("xcb-randr", "libxcb-randr0"),
    ("xcb-render-util", "libxcb-render-util0"),
    ("xcb-shape", "libxcb-shape0"),
    ("xcb-xkb", "libxcb-xkb1"),
    ("xcb-cursor", "libxcb-cursor0"),
)
# what `check` runs: programs of the extra "dev"
CHECKS = (
    ("style", ["ruff", "check", "."]),
    ("format", ["ruff", "format", "--check", "."]),
    ("types", ["mypy"]),
    ("imports", ["lint-imports"]),
    ("documentation", ["mkdocs", "build", "--strict", "--quiet", "-f", "docs/mkdocs.yml"]),
)
# further workers gain little, and each opens windows
MOST_WORKERS = 4
# each worker takes a file at a time, in the order of the folders: by number of tests, as is usual,
# a file of one long test would be the last, and the other workers would wait for it
SHARES = ("--dist", "loadfile", "--no-loadscope-reorder")
# options of pytest that want one process
ONE_PROCESS = ("-n", "--numprocesses", "--dist", "--pdb", "--trace", "-s", "--capture")

VIRTUAL_SCREEN = ("xvfb", "xauth", "libgl1-mesa-dri")

NETWORK_SIGNS = (
    "connection",
    "network is unreachable",
    "name resolution",
    "getaddrinfo",
    "no matching distribution found",
    "could not find a version",
    "timed out",
    "proxy",
)


class Stop(Exception):
    """Ends the program with one sentence for the user."""


def say(text):
    print(text, flush=True)


def check_python(version=None):
    version = tuple(sys.version_info[:2]) if version is None else version
    if version < OLDEST:
        raise Stop(
            "napari-tomo4d needs Python %d.%d or newer, and this is Python %d.%d; "
            "start run.py with a newer one." % (OLDEST + version)
        )


def venv_python(windows=None):
    windows = os.name == "nt" if windows is None else windows
    return os.path.join(VENV, *(("Scripts", "python.exe") if windows else ("bin", "python")))


def wanted_stamp(extras):
    """What an environment was made from; another value means that it has to be made again."""
    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return "%s %s %s" % (sys.version.split()[0], ",".join(extras), digest)


def installed_stamp():
    try:
        with open(STAMP) as file:
            return file.read()
    except OSError:
        return ""


def is_installed(extras):
    """Whether the environment is complete; one with more extras will do."""
    have, want = installed_stamp().split(), wanted_stamp(extras).split()
    if len(have) != 3 or not os.path.exists(venv_python()):
        return False
    return (have[0], have[2]) == (want[0], want[2]) and set(extras) <= set(have[1].split(","))


def install(extras):
    """Make the environment and install the project into it; safe to interrupt."""
    if is_installed(extras):
        return
    have = installed_stamp().split()
    if len(have) == 3:
        # what was there stays usable: a test run must not take the application's extras
        extras = sorted(set(extras) | set(have[1].split(",")))
    try:
        if not os.path.exists(venv_python()) or have[:1] != [sys.version.split()[0]]:
            say("Making a virtual environment in .venv ...")
            make_venv()
        elif os.path.exists(STAMP):
            os.remove(STAMP)
        say("Installing napari-tomo4d and what it needs; this takes some minutes ...")
        say("(It includes bm3d and bm4d, whose licence allows non-commercial use only.)")
        pip_install(extras)
        with open(STAMP, "w") as file:
            file.write(wanted_stamp(extras))
    except OSError as error:
        raise Stop("The folder %s can't be written: %s." % (ROOT, error.strerror or error))


def make_venv():
    if os.path.isdir(VENV):
        shutil.rmtree(VENV)
    result = subprocess.run(
        [sys.executable, "-m", "venv", VENV],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if result.returncode:
        shutil.rmtree(VENV, ignore_errors=True)
        if "ensurepip" in result.stdout:
            package = "python%d.%d-venv" % tuple(sys.version_info[:2])
            if can_apt():
                apt_install([package])
                return make_venv()
            raise Stop("Python's venv module is missing; install the package %s." % package)
        raise Stop("The virtual environment can't be made: %s" % result.stdout.strip())
    return None


def pip_install(extras):
    target = "%s[%s]" % (ROOT, ",".join(extras))
    result = subprocess.run(
        [venv_python(), "-m", "pip", "install", "--quiet", "--editable", target],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    if result.returncode:
        raise Stop(explain_pip(result.stdout))


def explain_pip(output):
    lines = [line for line in output.strip().splitlines() if line.strip()]
    if any(sign in output.lower() for sign in NETWORK_SIGNS):
        return (
            "The installation could not download what it needs; check the network connection "
            "(and pip's settings, if packages come from elsewhere) and start again. "
            "pip's last word: %s" % (lines[-1] if lines else "none")
        )
    if "no space left" in output.lower():
        return "The disk is full; free some gigabytes and start again."
    return "The installation failed:\n%s" % "\n".join(lines[-15:])


def missing_packages(find=ctypes.util.find_library):
    """Debian packages of the libraries that Qt needs and this machine lacks."""
    return [package for name, package in LIBRARIES if not find(name)]


def has_display(environment=None):
    environment = os.environ if environment is None else environment
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def can_apt():
    return hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages):
    say("Installing system packages: %s ..." % " ".join(packages))
    commands = (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends"] + list(packages),
    )
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    for command in commands:
        result = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
        )
        # an update that reached only some sources may still do
        if result.returncode and command[1] == "install":
            raise Stop("The system packages could not be installed:\n%s" % result.stdout.strip())


def prepare_system(display):
    """Make sure that Qt can run; on Linux only, elsewhere it brings what it needs."""
    if not sys.platform.startswith("linux"):
        return
    packages = missing_packages()
    if not display and shutil.which("xvfb-run") is None:
        packages += list(VIRTUAL_SCREEN)
    if not packages:
        return
    if can_apt():
        apt_install(packages)
        return
    why = "" if display else "There is no display, and "
    raise Stop(
        "%ssome system libraries are missing. On Debian or Ubuntu run:\n"
        "  sudo apt-get install %s\nand start again; other systems have them under "
        "similar names." % (why, " ".join(packages))
    )


def with_screen(command, display):
    """The command on a virtual screen if there is no real one."""
    if display or not sys.platform.startswith("linux"):
        return command
    return ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24"] + command


def start(arguments):
    """Open the application, without a display save a picture of it; or run another command."""
    arguments = arguments or ["demo"]
    display = has_display() or not sys.platform.startswith("linux")
    # other commands open no window, and run on machines without a screen
    window = arguments[0] in ("demo", "open")
    if window:
        prepare_system(display)
    install(["all"])
    command = [venv_python(), "-m", "napari_tomo4d.cli"] + arguments
    if not window:
        return subprocess.call(command)
    if not display:
        folder = os.path.join(ROOT, "screenshots")
        os.makedirs(folder, exist_ok=True)
        picture = os.path.join(folder, "napari-tomo4d.png")
        say("There is no display; the application runs on a virtual one and saves a picture.")
        command += ["--screenshot", picture]
    else:
        say("Starting napari-tomo4d ...")
    return subprocess.call(with_screen(command, display))


def test(arguments):
    """Run the tests, each on the same fresh settings of napari."""
    display = has_display() or not sys.platform.startswith("linux")
    prepare_system(display)
    install(["all", "test"])
    folder = tempfile.mkdtemp(prefix="napari-tomo4d-")
    environment = dict(
        os.environ,
        NAPARI_CONFIG=os.path.join(folder, "settings.yaml"),
        NAPARI_ENSURE_PLUGIN_MAIN_THREAD="1",
    )
    try:
        command = [venv_python(), "-m", "pytest"] + workers(arguments) + arguments
        return subprocess.call(with_screen(command, display), cwd=ROOT, env=environment)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def workers(arguments, processors=None):
    """Options for several workers when everything is run, on a system that gives each a screen."""
    chosen = [a for a in arguments if not a.startswith("-") or a.startswith(ONE_PROCESS)]
    if chosen or not sys.platform.startswith("linux") or shutil.which("Xvfb") is None:
        return []
    if processors is None:
        processors = len(os.sched_getaffinity(0))
    if processors < 2:
        return []
    return ["-n", str(min(processors, MOST_WORKERS))] + list(SHARES)


def check():
    """Run what looks at the code without running it; returns how many of them failed."""
    install(["all", "dev"])
    failed = []
    for name, words in CHECKS:
        say("%s: %s" % (name, " ".join(words)))
        program = os.path.join(os.path.dirname(venv_python()), words[0])
        if subprocess.call([program] + words[1:], cwd=ROOT):
            failed.append(name)
    say("Not right yet: %s." % ", ".join(failed) if failed else "All is well.")
    return len(failed)


def main(arguments):
    try:
        check_python()
        if arguments[:1] in (["-h"], ["--help"]):
            say(__doc__.strip())
            return 0
        if arguments[:1] == ["test"]:
            return test(arguments[1:])
        if arguments == ["check"]:
            return check()
        return start(arguments)
    except Stop as stop:
        sys.stderr.write("%s\n" % stop)
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; start again to go on.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
