"""orkestra_shim.shares, and what config/project.json may say of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import project, projectkeys, shares
from orkestra_shim.errors import EX_DATA, OrkestraError
from orkestra_shim.jsonfile import dump
from orkestra_shim.plumbing import Git
from orkestra_shim.project import Project
from orkestra_shim.work import Place


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A repository with a file in code/."""
    top = tmp_path / "a projéct"
    (top / "code").mkdir(parents=True)
    (top / "code" / "x").write_text("x")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "one"]):
        who = ["-c", "user.name=x", "-c", "user.email=x@x"]
        subprocess.run(["git", "-C", str(top), *who, *words], check=True)
    return top


def _project(top: Path, *share: Any) -> Project:
    data = project.settings("x", "main", "0" * 12) | {"workspace": {"share": list(share)}}
    projectkeys.check_settings(data, dump(data), "project.json")
    return Project(top, data)


def _triples(found: Project) -> list[str]:
    return shares.triples(Place(Path("/t"), Path("/w"), found.path), found.share)


@pytest.mark.parametrize(
    "share",
    [
        ["/etc"],
        [".."],
        ["a/../.."],
        ["a//b"],
        ["."],
        [""],
        [".git"],
        ["a/.GIT/x"],
        ["config"],
        ["logs/execution"],
        ["a\nb"],
        [3],
        ["a", "a/"],
        [{"path": "a", "mode": "rwx"}],
        [{"path": "a", "mode": "rw"}, "a/b"],
    ],
)
def test_what_the_settings_refuse(top: Path, share: list[Any]) -> None:
    with pytest.raises(OrkestraError) as caught:
        _project(top, *share)
    assert caught.value.code == EX_DATA and "project.json:" in caught.value.message


def test_folders_that_are_there_are_bound_and_others_are_told(top: Path) -> None:
    (top / "data" / "deep").mkdir(parents=True)
    found = _project(top, {"path": "data/deep", "mode": "rw"}, "data/", "models")
    assert _triples(found) == [
        *("ro", str(top / "data"), "/w/tree/data"),
        *("rw", str(top / "data" / "deep"), "/w/tree/data/deep"),
    ]
    told = shares.look(found, Git(top / ".git"))
    assert len(told) == 1 and "models" in told[0]


def test_a_link_anywhere_on_the_way_is_refused_before_a_run_and_never_bound(top: Path) -> None:
    (top / "inside").mkdir()
    (top / "out").symlink_to("/etc")
    (top / "git").symlink_to(".git")
    (top / "around").symlink_to("inside")
    (top / "inside" / "ssl").mkdir()
    for path in ("out", "out/ssl", "git", "around", "around/ssl"):
        found = _project(top, path)
        assert _triples(found) == []
        with pytest.raises(OrkestraError) as caught:
            shares.look(found, Git(top / ".git"))
        assert caught.value.code == EX_DATA and path in caught.value.message


def test_a_file_and_what_git_has_are_refused(top: Path) -> None:
    (top / "file").write_text("x")
    for path in ("file", "code"):
        with pytest.raises(OrkestraError):
            shares.look(_project(top, path), Git(top / ".git"))
