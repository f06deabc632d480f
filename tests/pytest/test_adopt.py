"""`orkestra adopt`: two files in one commit, nothing else touched; what cannot work is refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from orkestra_shim import adopt, project, suggest
from orkestra_shim.errors import EX_DATA, EX_USAGE, OrkestraError


def git(path: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(path), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def take(path: Path, **given: object) -> adopt.Adopted:
    return adopt.adopt(path, None, given.get("check"), given.get("share", []), given.get("ask"))  # type: ignore[arg-type]


def settings(path: Path) -> dict[str, object]:
    data = json.loads((path / project.FILE).read_text("utf-8"))
    assert isinstance(data, dict)
    return data


def test_adds_two_files_in_one_commit(repository: Path) -> None:
    done = take(repository)
    assert git(repository, "rev-list", "--count", "HEAD").strip() == "2"
    changed = git(repository, "diff-tree", "-r", "--no-commit-id", "--name-status", "HEAD").split("\n")
    assert changed == ["A\tconfig/project.json", "A\tconfig/task-queue.json", ""]
    assert git(repository, "log", "-1", "--format=%an").strip() == "A Person"
    assert git(repository, "status", "--porcelain") == ""
    assert done.project.name == "a-rep-sitory" and done.project.branch == "main"


def test_work_under_way_stays_as_it_is(repository: Path) -> None:
    (repository / "config").mkdir()
    (repository / "config" / "app.yml").write_text("x: 1\n", "utf-8")
    (repository / ".gitignore").write_text("config/*.json\nlogs/\n", "utf-8")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "own layout")
    (repository / "README.md").write_text("changed\n", "utf-8")
    (repository / "staged.txt").write_text("staged\n", "utf-8")
    git(repository, "add", "staged.txt")
    (repository / "staged.txt").write_text("and changed again\n", "utf-8")
    git(repository, "mv", "config/app.yml", "config/renamed.yml")
    (repository / "new.txt").write_text("untracked\n", "utf-8")
    before = git(repository, "status", "--porcelain")
    take(repository)
    assert git(repository, "status", "--porcelain") == before
    assert (repository / ".gitignore").read_text("utf-8") == "config/*.json\nlogs/\n"
    assert "staged.txt" not in git(repository, "show", "--name-only", "HEAD")


def test_the_execution_log_is_ignored_without_editing_gitignore(repository: Path) -> None:
    done = take(repository)
    project.prepare_logs(done.project)
    (repository / "logs" / "execution" / "task-execution.log").write_text("{}\n", "utf-8")
    assert git(repository, "status", "--porcelain") == ""
    assert not (repository / ".gitignore").exists()


def test_an_empty_repository_gets_its_first_commit(place: Path) -> None:
    path = place / "empty"
    git(place, "init", "--quiet", "--initial-branch=trunk", str(path))
    done = take(path)
    assert git(path, "rev-list", "--count", "HEAD").strip() == "1"
    assert done.project.branch == "trunk"
    assert git(path, "status", "--porcelain") == ""


def test_hooks_of_the_repository_do_not_run(repository: Path) -> None:
    for hook in ("pre-commit", "reference-transaction", "post-index-change", "commit-msg"):
        file = repository / ".git" / "hooks" / hook
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\ntouch {repository.parent.as_posix()!r}/ran\nexit 1\n", "utf-8")
        file.chmod(0o755)
    take(repository)
    assert not (repository.parent / "ran").exists()


def test_adopting_again_loads_it(repository: Path) -> None:
    first = take(repository)
    second = take(repository)
    assert second.project.id == first.project.id
    assert "already" in second.lines[0]
    assert git(repository, "rev-list", "--count", "HEAD").strip() == "2"


def test_one_that_was_interrupted_is_finished(repository: Path) -> None:
    (repository / "config").mkdir()
    data = project.settings("half", "main", "0123456789ab")
    (repository / project.FILE).write_text(json.dumps(data), "utf-8")
    assert take(repository).project.id == "0123456789ab"
    assert git(repository, "status", "--porcelain") == ""


def test_check_is_found_offered_and_set(repository: Path) -> None:
    (repository / "package.json").write_text('{"scripts": {"test": "jest"}}', "utf-8")
    done = take(repository)
    assert any("--check 'npm test'" in line for line in done.lines)
    assert settings(repository)["check"] == ""
    take(repository, check="make all")
    assert settings(repository)["check"] == "make all"
    assert git(repository, "log", "-1", "--name-only", "--format=").split() == ["config/project.json"]


def test_in_a_terminal_it_asks(repository: Path) -> None:
    (repository / "Makefile").write_text("test:\n\ttrue\n", "utf-8")
    (repository / "data").mkdir()
    (repository / "data" / "big").write_bytes(b"x")
    questions: list[str] = []

    def yes(question: str) -> bool:
        questions.append(question)
        return True

    take(repository, ask=yes)
    assert len(questions) == 2
    found = settings(repository)
    assert found["check"] == "make test" and found["workspace"] == {"share": ["data"], "setup": ""}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"package.json": '{"scripts": {"test": "echo no test specified"}}'}, ""),
        ({"package.json": "[]"}, ""),
        ({"package.json": '{"scripts": {"test": "x"}}', "pnpm-lock.yaml": ""}, "pnpm test"),
        ({"Cargo.toml": ""}, "cargo test"),
        ({"go.mod": ""}, "go test ./..."),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "python3 -m pytest -q"),
        ({"tests/test_a.py": "import pytest\n"}, "python3 -m pytest -q"),
        ({"tests/test_a.py": "import unittest\n"}, "python3 -m unittest discover -s tests"),
        ({"Makefile": "test := x\ncheck: all\n"}, "make check"),
        ({}, ""),
    ],
)
def test_checks_that_are_recognised(place: Path, files: dict[str, str], expected: str) -> None:
    for name, text in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text, "utf-8")
    assert suggest.check(place) == expected


def test_large_untracked_and_ignored_folders_are_offered(repository: Path) -> None:
    (repository / ".gitignore").write_text("/models/\nnode_modules/\n", "utf-8")
    git(repository, "add", ".gitignore")
    git(repository, "commit", "--quiet", "--message", "ignore")
    for name in ("models", "node_modules", "scratch with space", "small"):
        (repository / name).mkdir()
        (repository / name / "x").write_bytes(b"x")
    with (repository / "scratch with space" / "big").open("wb") as file:
        file.truncate(suggest.LARGE)
    assert {one.path for one in suggest.large_folders(repository)} == {
        "models", "node_modules", "scratch with space"
    }  # fmt: skip
    done = take(repository, share=["models", "scratch with space:rw"])
    assert settings(repository)["workspace"] == {
        "share": ["models", {"path": "scratch with space", "mode": "rw"}], "setup": ""
    }  # fmt: skip
    assert any("--share node_modules" in line for line in done.lines)


@pytest.mark.parametrize(
    "share", ["nothing", "../outside", "/etc", ".git", "", "README.md", "config", "logs"]
)
def test_shares_that_are_refused(repository: Path, share: str) -> None:
    with pytest.raises(OrkestraError) as caught:
        take(repository, share=[share])
    assert caught.value.code == EX_USAGE
    assert git(repository, "rev-list", "--count", "HEAD").strip() == "1"


def test_a_share_through_a_link_is_refused(repository: Path) -> None:
    (repository / "data").symlink_to("/etc")
    with pytest.raises(OrkestraError):
        take(repository, share=["data"])


def refuse_bare(path: Path) -> Path:
    git(path.parent, "clone", "--quiet", "--bare", str(path), str(path.parent / "bare"))
    return path.parent / "bare"


def refuse_shallow(path: Path) -> Path:
    git(path, "commit", "--quiet", "--allow-empty", "--message", "two")
    git(path.parent, "clone", "--quiet", "--depth=1", path.as_uri(), str(path.parent / "shallow"))
    return path.parent / "shallow"


def refuse_partial(path: Path) -> Path:
    git(path, "config", "uploadpack.allowFilter", "true")
    git(path.parent, "clone", "--quiet", "--filter=blob:none", path.as_uri(), str(path.parent / "partial"))
    return path.parent / "partial"


def refuse_detached(path: Path) -> Path:
    git(path, "switch", "--quiet", "--detach")
    return path


def refuse_merge(path: Path) -> Path:
    (path / ".git" / "MERGE_HEAD").write_text(git(path, "rev-parse", "HEAD"), "utf-8")
    return path


def refuse_rebase(path: Path) -> Path:
    (path / ".git" / "rebase-merge").mkdir()
    return path


def refuse_submodule(path: Path) -> Path:
    git(path, "update-index", "--add", "--cacheinfo", f"160000,{git(path, 'rev-parse', 'HEAD').strip()},sub")
    return path


def refuse_sparse(path: Path) -> Path:
    git(path, "sparse-checkout", "set", "src")
    return path


def refuse_patterns(path: Path) -> Path:
    git(path, "sparse-checkout", "set", "--no-cone", "/*", "!/data")
    return path


def refuse_nameless(path: Path) -> Path:
    subprocess.run(["git", "-C", str(path), "switch", "-q", "-c", b"caf\xe9"], check=True)
    return path


def refuse_foreign_settings(path: Path) -> Path:
    (path / "config").mkdir()
    (path / "config" / "project.json").write_text('{"name": "somebody else\'s"}', "utf-8")
    return path


def refuse_foreign_queue(path: Path) -> Path:
    (path / "config").mkdir()
    (path / "config" / "task-queue.json").write_text("[1, 2]", "utf-8")
    return path


def refuse_file_named_config(path: Path) -> Path:
    (path / "config").write_text("", "utf-8")
    return path


def refuse_linked_logs(path: Path) -> Path:
    (path / "logs").symlink_to("/tmp")
    return path


def refuse_subfolder(path: Path) -> Path:
    (path / "inside").mkdir()
    return path / "inside"


def refuse_no_repository(path: Path) -> Path:
    (path.parent / "plain").mkdir()
    return path.parent / "plain"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (refuse_bare, "bare"),
        (refuse_shallow, "shallow"),
        (refuse_partial, "partial"),
        (refuse_detached, "detached"),
        (refuse_merge, "in the middle of a merge"),
        (refuse_rebase, "in the middle of a rebase"),
        (refuse_submodule, "submodules"),
        (refuse_sparse, "sparse"),
        (refuse_patterns, "sparse"),
        (refuse_nameless, "cannot be written"),
        (refuse_foreign_settings, "is not Orkestra's"),
        (refuse_foreign_queue, "is no task queue"),
        (refuse_file_named_config, "is not a folder"),
        (refuse_linked_logs, "is not a folder"),
        (refuse_subfolder, "a folder inside a repository"),
        (refuse_no_repository, "not a Git repository"),
    ],
)
def test_refused_and_nothing_changed(repository: Path, make: object, word: str) -> None:
    path = make(repository)  # type: ignore[operator]
    before = git(repository, "rev-parse", "HEAD") + git(repository, "status", "--porcelain")
    with pytest.raises(OrkestraError) as caught:
        take(path)
    assert caught.value.code in (EX_DATA, EX_USAGE)
    assert word in caught.value.message
    assert git(repository, "rev-parse", "HEAD") + git(repository, "status", "--porcelain") == before


@pytest.mark.parametrize(
    "branch", ["-".join(["y" * 80] * 3), "/".join(["ü\"$(id)'"] * 90), "HEAD", "refs/heads/x"]
)
def test_a_branch_of_any_name(repository: Path, branch: str) -> None:
    git(repository, "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    assert take(repository).project.branch == branch
    assert git(repository, "log", "--format=%s", f"refs/heads/{branch}").startswith("Adopt")


def test_a_sparse_checkout_that_has_what_people_and_orkestra_read(repository: Path) -> None:
    git(repository, "sparse-checkout", "set", "src", "config", "logs")
    take(repository)
    assert (repository / project.QUEUE).exists() and git(repository, "status", "--porcelain") == ""


def test_a_linked_worktree_can_be_adopted(repository: Path) -> None:
    other = repository.parent / "worktree"
    git(repository, "worktree", "add", "--quiet", "-b", "side", str(other))
    done = take(other)
    assert done.project.branch == "side"
    assert git(other, "status", "--porcelain") == ""


def test_dubious_ownership_is_explained(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(OrkestraError) as caught:
        take(repository)
    assert "belongs to another user" in caught.value.message
    assert "safe.directory" in caught.value.hint


def test_an_old_git_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orkestra_shim import repo

    monkeypatch.setattr(repo, "version", lambda: (2, 34))
    with pytest.raises(OrkestraError) as caught:
        take(repository)
    assert caught.value.code == 69 and "2.34" in caught.value.message
