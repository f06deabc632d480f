"""The wheel and the source distribution: what is in them, and Orkestra for somebody who has nothing else."""

from __future__ import annotations

import email
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from installation import (
    PACKAGE,
    Installed,
    build,
    copy_checkout,
    edit,
    files_of_checkout,
    needed,
    put,
    site_packages,
    told,
    wheel_of,
)
from orkestra_shim import __version__
from orkestra_shim.lacking import BUILDS_PYJQ
from world import FRAMEWORK, PERSON

CANARY = "sk-canary-4f1b9d"  # in every file that is nobody else's
# What a checkout that is used has beside what Git tracks, and what editors, Git and earlier builds leave.
STATE = [
    "CONFIG/api-keys.env",
    "CONFIG/settings.env",
    "CONFIG/accounts/work/api-keys.env",
    "CONFIG/current-project.json",
    "CONFIG/RUNTIME/limits.json",
    "CONFIG/agents/mine",
    "CONFIG/templates/mine/README.md",
    "CONFIG/own.example/key",
    "PROJECTS/shop/config/project.json",
    "LOGS/orchestrator.log",
    ".venv/lib/site.py",
    ".env",
    ".git/config",
    "build/lib/orkestra_shim/SCRIPTS/AGENTS/adapters/gone",
    "build/lib/orkestra_shim/gone.py",
    "dist/old.whl",
    "SCRIPTS/CORE/land.sh~",
    "SCRIPTS/CORE/.land.sh.swp",
    "SCRIPTS/CORE/land.sh.orig",
    "SCRIPTS/.env",
    "SCRIPTS/AGENTS/__pycache__/tool.cpython-311.pyc",
    "orkestra_shim/__pycache__/run.cpython-311.pyc",
    "orkestra_shim/templates/website/.README.md.swp",
    "orkestra_shim/templates/website/.env",
    "orkestra_shim/prompts/task.md.j2~",
    "orkestra_shim/schemas/x.rej",
    "docs/notes.md~",
]
LIVE = ("LOGS", "CONFIG/RUNTIME")  # a run's last words may come after it has ended
SHIPPED = ("SCRIPTS/", "orkestra_shim/")
EXAMPLES = ("CONFIG/settings.env.example", "CONFIG/api-keys.env.example")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts, built where a checkout has been in use; that checkout is gone when the tests begin."""
    place = tmp_path_factory.mktemp("a wôrkshop")
    used = copy_checkout(place / "used")
    for name in STATE:
        (used / name).parent.mkdir(parents=True, exist_ok=True)
        (used / name).write_text(CANARY)
    listed = (
        used / "orkestra_ai.egg-info" / "SOURCES.txt"
    )  # as setuptools keeps it from one build to the next
    listed.parent.mkdir()
    listed.write_text("\n".join(STATE))
    for path in used.rglob("*"):  # as a clone under umask 077
        path.chmod(path.stat().st_mode & 0o700)
    build(used, place / "both")
    build(used, place / "straight", "--wheel")
    shutil.rmtree(used)
    build(copy_checkout(place / "clean"), place / "again")
    shutil.rmtree(place / "clean")
    return place


@pytest.fixture(scope="module")
def wheel(workshop: Path) -> Path:
    return next((workshop / "both").glob("*.whl"))


@pytest.fixture(scope="module")
def person(workshop: Path, wheel: Path) -> Installed:
    """Somebody who has installed the wheel and nothing else. Tests add to the home and take nothing away."""
    person = Installed(workshop / "a persôn's home").make()
    person.install(wheel)
    return person


def holds(wheel: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            one.filename: (one.external_attr >> 16 & 0o777, archive.read(one)) for one in archive.infolist()
        }


def expected() -> dict[str, tuple[int, bytes]]:
    """What a wheel has to hold, with modes, by what Git tracks."""
    found = {}
    for name in files_of_checkout():
        if name.startswith(SHIPPED) or name in EXAMPLES:
            there = name if name.startswith(PACKAGE) else f"{PACKAGE}/{name}"
            mode = 0o755 if (FRAMEWORK / name).stat().st_mode & 0o100 else 0o644
            found[there] = (mode, (FRAMEWORK / name).read_bytes())
    return found


# --- what is in them ----------------------------------------------------------------------------------------


def test_the_wheel_holds_what_git_tracks_with_its_modes_and_nothing_of_a_checkout_in_use(wheel: Path) -> None:
    found = {name: one for name, one in holds(wheel).items() if ".dist-info/" not in name}
    wanted = expected()
    assert sorted(found.keys() - wanted.keys()) == []
    assert sorted(wanted.keys() - found.keys()) == []
    assert [name for name in wanted if found[name] != wanted[name]] == []
    kinds = {Path(name).suffix for name in found}
    assert {
        ".sh",
        ".bash",
        ".jq",
        ".awk",
        ".tsv",
        ".j2",
        ".json",
        ".py",
        ".css",
        ".js",
        ".example",
        "",
    } <= kinds
    assert sum(mode == 0o755 for mode, _ in found.values()) > 40


def test_the_source_distribution_holds_that_and_a_checkouts_command(workshop: Path) -> None:
    source = next((workshop / "both").glob("*.tar.gz"))
    top = f"orkestra_ai-{__version__}/"
    found = {}
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile():
                content = archive.extractfile(member)
                assert content is not None
                found[member.name.removeprefix(top)] = (member.mode, content.read())
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
    for name, one in expected().items():
        inner = name.removeprefix(f"{PACKAGE}/")
        assert found.pop(inner if inner.startswith(("SCRIPTS/", "CONFIG/")) else name) == one, name
    others = [name for name in found if not name.startswith(("docs/", "orkestra_ai.egg-info/"))]
    assert sorted(others) == sorted(
        [
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "LICENSE",
            "MANIFEST.in",
            "PKG-INFO",
            "README.md",
            "bin/orkestra",
            "pyproject.toml",
            "setup.cfg",
            "setup.py",
        ]
    )
    assert found["bin/orkestra"][0] == 0o755
    docs = {name for name in files_of_checkout() if name.startswith("docs/")}
    assert {name for name in found if name.startswith("docs/")} == docs
    assert [name for name, (_, data) in found.items() if CANARY.encode() in data] == []


def test_a_wheel_from_the_source_distribution_is_the_one_from_the_checkout(workshop: Path) -> None:
    """`both` has the one that was built from the source distribution, `straight` the other: byte for byte."""
    both, straight, again = (workshop / name for name in ("both", "straight", "again"))
    name = next(both.glob("*.whl")).name
    assert holds(both / name) == holds(straight / name)
    assert (both / name).read_bytes() == (straight / name).read_bytes()
    # From another folder, under another umask, without what lay around.
    for file in both.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name


def test_what_it_says_of_itself(wheel: Path) -> None:
    top = f"orkestra_ai-{__version__}.dist-info"
    files = holds(wheel)
    told = email.message_from_bytes(files[f"{top}/METADATA"][1])
    assert (told["Name"], told["Version"], told["License"]) == ("orkestra-ai", __version__, "Apache-2.0")
    assert told["Requires-Python"] == ">=3.10"
    assert told["Description-Content-Type"] == "text/markdown"
    assert told.get_payload(decode=True).decode().strip() == (FRAMEWORK / "README.md").read_text().strip()
    assert files[f"{top}/licenses/LICENSE"][1] == (FRAMEWORK / "LICENSE").read_bytes()
    assert b"orkestra = orkestra_shim.__main__:main" in files[f"{top}/entry_points.txt"][1]
    pinned = (FRAMEWORK / PACKAGE / "requirements.txt").read_text().lower()
    for needs in told.get_all("Requires-Dist"):
        if "extra" not in needs:
            assert f"\n{needs.partition('>')[0].lower()}==" in pinned, needs


# --- installed ----------------------------------------------------------------------------------------------


def test_every_file_is_installed_as_it_was_with_its_mode(person: Installed) -> None:
    wanted = expected()
    for name, (mode, data) in wanted.items():
        path = site_packages(person.prefix) / name
        assert path.read_bytes() == data, name
        assert bool(path.stat().st_mode & 0o111) == (mode == 0o755), name
    there = {f"{PACKAGE}/{name}" for name in told(person.package) if "__pycache__" not in name}
    assert there == wanted.keys()


def test_the_demo_in_a_home_that_is_made_for_it(person: Installed) -> None:
    """From there on: status, verify, completion, and cron's line under cron's environment."""
    assert not person.orkestra.exists()
    shown = person.ok("demo")
    assert "14 tasks: 14 completed" in shown
    assert sorted(path.name for path in person.orkestra.iterdir()) == ["CONFIG", "LOGS", "PROJECTS"]
    assert (person.orkestra / "CONFIG" / "api-keys.env.example").is_file()
    assert "14 completed" in person.ok("status")
    person.ok("verify")
    environment = person.environment
    person.environment = {
        "_ORKESTRA_COMPLETE": "bash_complete",
        "COMP_WORDS": "orkestra task show ab",
        "COMP_CWORD": "3",
    }
    try:
        assert "about-page" in person("").stdout
    finally:
        person.environment = environment
    assert "_orkestra_completion" in person.ok("completion", "bash")

    project = person.orkestra / "PROJECTS" / "demo-website"
    assert person("task", "add", "one more", "--command", "echo x >src/more.txt").returncode == 0
    (person.home / "bin").mkdir()
    table = person.home / "bin" / "crontab"
    table.write_text('#!/bin/sh\nif [ "$1" = -l ]; then cat "$0.table"; else cat >"$0.table"; fi\n')
    table.chmod(0o755)
    (person.home / "bin" / "crontab.table").touch()
    person.environment = {"PATH": f"{person.home / 'bin'}:{person.env()['PATH']}"}
    try:
        person.ok("cron", "install", "--every", "10m", "--yes")
    finally:
        person.environment = environment
    line = (person.home / "bin" / "crontab.table").read_text().strip().splitlines()[-1]
    assert str(person.package / "SCRIPTS/CORE/orchestrator.sh") in line.replace("'\"'\"'", "'").replace(
        "'\\''", "'"
    )
    done = subprocess.run(
        ["/bin/sh", "-c", line.split(" ", 5)[5].replace("\\%", "%")],
        env={"HOME": str(person.home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "person"},
        cwd=person.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=170,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (project / "src" / "more.txt").read_text() == "x\n"


def test_the_same_as_from_a_checkout(person: Installed, tmp_path: Path) -> None:
    """Every help text and every script's head (as manual pages), version, settings; `python -m` as well."""
    checkout = FRAMEWORK / "bin" / "orkestra"
    home = person.environment
    person.environment = {"ORKESTRA_HOME": str(tmp_path / "hôme"), "ORKESTRA_VENV": sys.prefix}
    try:
        for words in (["--version"], ["--help"], ["config", "--json"], ["list"], ["task", "no-such"]):
            ours, theirs = person(*words), person.call(str(checkout), *words)
            assert (ours.returncode, ours.stderr) == (theirs.returncode, theirs.stderr)
            assert ours.stdout.replace(str(person.package), str(FRAMEWORK)) == theirs.stdout
        assert person.ok("--version") == f"orkestra {__version__}\n"
        person.ok("manual", "--install", str(tmp_path / "ours"))
        assert person.call(str(checkout), "manual", "--install", str(tmp_path / "theirs")).returncode == 0
        module = person.call(str(person.python), "-m", PACKAGE, "--version")
        assert module.stdout == person.ok("--version"), module.stderr
    finally:
        person.environment = home
    ours, theirs = told(tmp_path / "ours"), told(tmp_path / "theirs")
    assert len(ours) > 60
    assert ours == theirs


def test_the_command_of_an_unpacked_source_distribution(workshop: Path, person: Installed) -> None:
    shutil.unpack_archive(next((workshop / "both").glob("*.tar.gz")), workshop / "unpacked", filter="data")
    root = workshop / "unpacked" / f"orkestra_ai-{__version__}"
    environment = person.environment
    person.environment = {"ORKESTRA_VENV": sys.prefix}
    try:
        done = person.call(str(root / "bin" / "orkestra"), "new", "there")
    finally:
        person.environment = environment
    assert done.returncode == 0, done.stderr
    assert (root / "PROJECTS" / "there" / "config" / "project.json").is_file()


def test_a_home_that_cannot_be_written(person: Installed, workshop: Path) -> None:
    """A file system that is mounted read-only refuses root as well."""
    if shutil.which("bwrap") is None:
        pytest.skip("bubblewrap is not installed")
    closed = workshop / "closed"
    closed.mkdir()
    other = Installed(person.home, {"HOME": str(closed)})
    other.through = ["bwrap", "--dev-bind", "/", "/", "--ro-bind", str(closed), str(closed)]
    done = other("list")
    assert done.returncode == 73, done.stderr
    assert done.stderr.startswith(f"orkestra: cannot write {closed}/Orkestra")
    assert "ORKESTRA_HOME" in done.stderr and done.stderr.count("\n") == 2
    other.environment["ORKESTRA_HOME"] = str(workshop / "open")
    assert other("list").returncode == 0


# --- one version after the other ----------------------------------------------------------------------------


def test_older_newer_and_removed(workshop: Path, wheel: Path) -> None:
    """An upgrade touches nothing of a person's; a downgrade says what it cannot read."""
    old = copy_checkout(workshop / "old")
    edit(old, "orkestra_shim/__init__.py", f'__version__ = "{__version__}"', '__version__ = "0.0.9"')
    edit(old, "CONFIG/settings.env.example", "#", "# older\n#")
    shutil.copy2(old / "SCRIPTS/AGENTS/adapters/shell", old / "SCRIPTS/AGENTS/adapters/gone")
    (old / "orkestra_shim/gone.py").write_text("")
    new = copy_checkout(workshop / "new")
    edit(new, "orkestra_shim/__init__.py", f'__version__ = "{__version__}"', '__version__ = "99.0"')
    edit(new, "orkestra_shim/records.py", "VERSION = 1\n", "VERSION = 2\n")
    edit(new, "orkestra_shim/ledger.py", '"orkestra.outcome/1"', '"orkestra.outcome/2"')

    person = Installed(workshop / "another home").make()
    person.install(wheel_of(old))
    assert person.ok("--version") == "orkestra 0.0.9\n"
    person.ok("new", "shop")
    person.ok("task", "add", "first", "--command", "echo 1 >src/first.txt")
    person.ok("start")
    assert "gone" in person.ok("agents", "list")
    config = person.orkestra / "CONFIG"
    (config / "settings.env").write_text("# mine\nORKESTRA_WORKERS=1\n")
    keys = config / "api-keys.env"
    keys.write_text("OPENAI_API_KEY=mine\n")
    keys.chmod(0o600)
    shutil.copy2(person.package / "SCRIPTS/AGENTS/adapters/shell", config / "agents" / "mine")
    (config / "templates" / "mine").mkdir()
    (config / "templates" / "mine" / "hello.txt").write_text("hello\n")
    (config / "api-keys.env.example").write_text("# I wrote in here\n")
    project = person.orkestra / "PROJECTS" / "shop"
    (project / "src" / "unsaved.txt").write_text("not committed\n")
    before, times = (
        told(person.orkestra, *LIVE),
        {path: path.stat().st_mtime_ns for path in config.rglob("*")},
    )

    person.install(wheel)
    assert person.ok("--version") == f"orkestra {__version__}\n"
    assert not (person.package / "SCRIPTS/AGENTS/adapters/gone").exists()
    assert not (person.package / "gone.py").exists()
    assert told(person.orkestra, *LIVE) == before
    mine = told(config, "RUNTIME", "current-project.json")
    assert "1 completed" in person.ok("status")
    listed = person.ok("agents", "list")
    assert "mine" in listed and "gone" not in listed
    assert told(config, "RUNTIME", "current-project.json") == mine
    for name in ("settings.env", "api-keys.env", "api-keys.env.example", "settings.env.example"):
        assert (config / name).stat().st_mtime_ns == times[config / name], name
    assert keys.stat().st_mode & 0o777 == 0o600
    person.ok("new", "from-mine", "--template", "mine")
    assert (person.orkestra / "PROJECTS" / "from-mine" / "hello.txt").is_file()
    person.ok("task", "add", "second", "--command", "echo 2 >src/second.txt", "--project", "shop")
    person.ok("start", "--project", "shop")
    person.ok("verify", "--project", "shop")

    person.install(wheel_of(new))
    person.ok("task", "add", "third", "--command", "echo 3 >src/third.txt", "--project", "shop")
    person.ok("start", "--project", "shop")
    person.install(wheel)
    before = told(person.orkestra, *LIVE)
    newer = "logs/outcomes/outcome-003.json: format orkestra.outcome/2 was written by a newer Orkestra"
    for command in ("status", "start"):
        done = person(command, "--project", "shop")
        assert done.returncode == 65, (command, done.stdout, done.stderr)
        assert newer in done.stderr and "upgrade Orkestra" in done.stderr
    done = person("verify", "--project", "shop")
    assert done.returncode == 1 and "written by a newer Orkestra" in done.stdout, done.stdout + done.stderr
    assert told(person.orkestra, *LIVE) == before
    done = person.pip("uninstall", "--yes", "orkestra-ai")
    assert done.returncode == 0, done.stderr
    assert not person.package.exists() and not (person.prefix / "bin" / "orkestra").exists()
    assert told(person.orkestra, *LIVE) == before
    git = ["git", "-C", str(project), *PERSON, "-c", "safe.directory=*"]
    assert person.call(*git, "fsck", "--strict").returncode == 0
    log = person.call(*git, "log", "--format=%s").stdout.splitlines()
    assert {"first", "second", "third"} <= set(log)
    assert (project / "src" / "unsaved.txt").read_text() == "not committed\n"


def test_for_one_user_beside_the_systems_python(workshop: Path, wheel: Path) -> None:
    """`pip install --user`: a run, and a script called by hand; who writes to the package is found."""
    base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    person = Installed(workshop / "user's home")
    person.home.mkdir()
    own = person.home / ".local"
    packages = site_packages(own)
    put([*needed(), "pip"], packages)
    person.environment = {"PATH": f"{own / 'bin'}:{base.parent}:{person.env()['PATH']}"}
    person.install(wheel, "--user", python=base)
    assert person.ok("--version") == f"orkestra {__version__}\n"
    person.ok("new", "shop")
    person.ok("task", "add", "first", "--command", "echo 1 >src/first.txt")
    person.ok("start")
    script = packages / PACKAGE / "SCRIPTS" / "CORE" / "orchestrator.sh"
    person.ok("task", "add", "second", "--command", "echo 2 >src/second.txt")
    done = person.call(str(script), "once", "--all")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (person.orkestra / "PROJECTS" / "shop" / "src" / "second.txt").read_text() == "2\n"
    person.environment["ORKESTRA_SANDBOX"] = "off"
    planted = packages / PACKAGE / "home.py"
    person.ok("task", "add", "planter", "--command", f"echo x >src/x; touch {shlex.quote(str(planted))}")
    done = person("start")
    assert done.returncode == 78, done.stdout + done.stderr
    assert str(planted) in done.stdout + done.stderr


# --- what is missing ----------------------------------------------------------------------------------------


def test_a_needed_package_that_is_not_there_is_named_with_its_cure(workshop: Path, wheel: Path) -> None:
    person = Installed(workshop / "half a home").make()
    packages = site_packages(person.prefix)
    for path in packages.glob("*pyjq*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    refused = person.pip("install", "--no-index", str(wheel))
    assert refused.returncode != 0 and "pyjq" in refused.stderr
    person.install(wheel, "--no-deps")
    assert person.ok("--version") == f"orkestra {__version__}\n"
    done = person("config", "--json", "--jq", ".")
    assert done.returncode == 69 and done.stderr.count("\n") == 2
    first, second = done.stderr.splitlines()
    assert first == f"orkestra: not installed in {person.prefix}, or not for this Python: pyjq"
    cure = f"-m pip install --force-reinstall pyjq; to build pyjq, as root: apt-get install {BUILDS_PYJQ}"
    if sys.version_info >= (3, 12):
        cure = f"in a checkout: ORKESTRA_VENV={shlex.quote(str(person.prefix))} bin/orkestra --setup-only"
    assert second.endswith(cure)
    doctor = json.loads(person("doctor", "--json").stdout)
    assert any("lacks pyjq" in json.dumps(one) for one in doctor), doctor
    shutil.rmtree(packages / "click")
    for done in (person("list"), person.call(str(person.python), "-m", PACKAGE, "list")):
        assert done.returncode == 69 and "Python: click, pyjq" in done.stderr and done.stderr.count("\n") == 2


def test_without_the_tools_that_build_pyjq(workshop: Path, wheel: Path) -> None:
    """What pip says in the end is in the guide, with what to install; bin/orkestra says it by itself."""
    source = Path(sys.prefix) / "test-cache" / "pyjq"
    assert list(source.glob("pyjq-*.tar.gz")), f"{source}: bin/test e2e fetches pyjq's source"
    person = Installed(workshop / "bare home").make("setuptools")
    for path in site_packages(person.prefix).glob("*pyjq*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    few = workshop / "few tools"
    few.mkdir()
    words = "bash sh env tar gzip sed grep cat ls rm mkdir cp mv uname dirname basename expr tr sort git"
    for name in words.split():
        (few / name).symlink_to(os.path.realpath(str(shutil.which(name))))
    person.environment = {"PATH": str(few)}
    options = ("--no-index", "--no-build-isolation", "--no-cache-dir", "--find-links", str(source))
    done = person.pip("install", *options, str(wheel))
    assert done.returncode != 0
    guide = (FRAMEWORK / "docs" / "installing.md").read_text()
    if sys.version_info < (3, 12):
        assert "Failed building wheel for pyjq" in done.stderr, done.stderr[-2000:]
    assert "Failed building wheel for pyjq" in guide
    assert f"apt-get install git bubblewrap {BUILDS_PYJQ}" in guide
    assert f"apt-get install {BUILDS_PYJQ}" in " ".join((FRAMEWORK / "README.md").read_text().split())
    assert not (person.prefix / "bin" / "orkestra").exists()

    person.environment |= {"ORKESTRA_VENV": str(workshop / "new venv")}
    done = person.call(str(FRAMEWORK / "bin" / "orkestra"), "list")
    assert done.returncode == 69
    told = done.stderr
    for package in ("gcc", "make", "autoconf", "automake", "libtool", "bubblewrap"):
        assert package in told.splitlines()[0], told
    assert len(told.splitlines()) == 2, told
