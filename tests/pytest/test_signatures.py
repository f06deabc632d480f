"""Signatures of the commits of landings, by real keys of ssh and gpg, asked of real Git."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orkestra_shim import changes, signatures
from orkestra_shim.findings import Report
from orkestra_shim.plumbing import Git
from store_client import GIT_ENV, git

MAIL = "a@localhost"


class Signer:
    """A repository whose person signs with ssh keys, or gpg ones."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
        self.path, self.kind, self.place = place / "a repôsitory", kind, place
        self.path.mkdir()
        git(self.path, "init", "-q", "-b", "main")
        self.settings = place / "gitconfig"
        monkeypatch.setitem(GIT_ENV, "GIT_CONFIG_GLOBAL", str(self.settings))
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(self.settings))
        self.ring = tempfile.TemporaryDirectory(prefix="ring-", dir="/tmp")  # a socket's path is short
        monkeypatch.setenv("GNUPGHOME", self.ring.name)
        self.set("gpg.format", "ssh" if kind == "ssh" else "openpgp")
        git(self.path, "commit", "-q", "--allow-empty", "-m", "a person's")

    def end(self) -> None:
        """Its gpg-agent goes, and its ring."""
        if self.kind == "gpg":
            ring = {"GNUPGHOME": self.ring.name}
            subprocess.run(["gpgconf", "--kill", "all"], check=True, env={**os.environ, **ring})
        self.ring.cleanup()

    def set(self, name: str, value: str) -> None:
        subprocess.run(["git", "config", "--file", str(self.settings), name, value], check=True)

    def key(self, name: str) -> str:
        """A new key, as user.signingKey names it."""
        if self.kind == "ssh":
            file = self.place / name
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)]
            subprocess.run(words, check=True)
            return str(file)
        who = f"{name} <{name}@localhost>"
        gpg = ["gpg", "--batch", "--quiet", "--passphrase", "", "--pinentry-mode", "loopback"]
        made = [*gpg, "--status-fd", "1", "--quick-generate-key", who, "ed25519", "sign", "never"]
        done = subprocess.run(made, check=True, capture_output=True, text=True)
        return next(line.split()[3] for line in done.stdout.splitlines() if "KEY_CREATED" in line)

    def knows(self, *keys: str) -> None:
        """The keys that the person trusts; of gpg the ring has all that it made."""
        if self.kind == "ssh":
            lines = [f"{MAIL} {Path(key + '.pub').read_text()}" for key in keys]
            (self.place / "allowed").write_text("".join(lines))
            self.set("gpg.ssh.allowedSignersFile", str(self.place / "allowed"))

    def land(self, number: int, key: str = "") -> str:
        """A commit that names an outcome."""
        sign = ["-c", f"user.signingKey={key}", "commit", "-S"] if key else ["commit", "--no-gpg-sign"]
        git(self.path, *sign, "-q", "--allow-empty", "-m", f"x\n\nOrkestra-Outcome: outcome-{number:03}")
        return git(self.path, "rev-parse", "HEAD")

    def break_last(self) -> str:
        """The last commit with another message under its signature."""
        raw = git(self.path, "cat-file", "commit", "HEAD").replace("\nx\n", "\ny\n")
        name = git(self.path, "hash-object", "-t", "commit", "-w", "--stdin", stdin=f"{raw}\n".encode())
        git(self.path, "reset", "-q", "--soft", name)
        return name

    def report(self, required: bool = False, since: str = "") -> Report:
        report, own = Report(), Git(self.path / ".git")
        history = changes.read_history(own, git(self.path, "rev-parse", "HEAD"))
        signatures.check(self.path, own, history, report, required, since)
        return report


@pytest.fixture(params=["ssh", "gpg"])
def signer(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Signer]:
    made = Signer(tmp_path, monkeypatch, request.param)
    yield made
    made.end()


def test_all_are_signed_by_a_known_key(signer: Signer) -> None:
    key = signer.key("mine")
    signer.knows(key)
    for number in (1, 2):
        signer.land(number, key)
    for required in (False, True):
        report = signer.report(required)
        assert report.findings == [] and report.notes == [] and report.counts == {"signatures": 2}


def test_a_signature_that_was_broken_never_holds(signer: Signer) -> None:
    key = signer.key("mine")
    signer.knows(key)
    signer.land(1, key)
    signer.land(2, key)
    broken = signer.break_last()
    for required in (False, True):
        report = signer.report(required)
        assert report.counts == {"signatures": 1}
        assert report.findings == [
            (
                "outcome-002",
                f"the commit {broken[:12]} has a bad signature: it was changed after it was signed",
            )
        ]


def test_one_that_is_not_signed_among_those_that_are(signer: Signer) -> None:
    key = signer.key("mine")
    signer.knows(key)
    signer.land(1, key)
    bare = signer.land(2)
    report = signer.report()
    assert report.findings == []
    assert report.notes == [
        f"1 commit is not signed, though others are; the first is {bare[:12]} (outcome-002)"
    ]
    assert signer.report(required=True).findings == [("outcome-002", f"the commit {bare[:12]} is not signed")]
    signer.land(3, key)
    assert signer.report(required=True, since=bare).findings == []


def test_a_key_that_nobody_knows(signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, others = signer.key("mine"), signer.key("others")
    signer.knows(mine)
    strange = signer.land(1, others)
    if signer.kind == "gpg":
        (signer.place / "another ring").mkdir(mode=0o700)
        monkeypatch.setenv("GNUPGHOME", str(signer.place / "another ring"))
    report = signer.report()
    assert report.findings == [] and len(report.notes) == 1 and report.counts == {"signatures": 0}
    assert "1 commit is signed by a key that cannot be checked" in report.notes[0]
    words = (
        "gpg.ssh.allowedSignersFile does not have" if signer.kind == "ssh" else "is not among the keys here"
    )
    [(name, what)] = signer.report(required=True).findings
    assert name == "outcome-001" and strange[:12] in what and words in what


def test_nobody_signs(signer: Signer) -> None:
    bare = signer.land(1)
    report = signer.report()
    assert (report.findings, report.notes, report.counts) == ([], [], {})
    assert signer.report(required=True).findings == [("outcome-001", f"the commit {bare[:12]} is not signed")]


def test_ssh_without_a_list_of_signers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(tmp_path, monkeypatch, "ssh")
    signer.land(1, signer.key("mine"))
    [note] = signer.report().notes
    assert "Git cannot check it (gpg.ssh.allowedSignersFile?)" in note


def test_a_record_that_came_without_the_words_of_a_landing_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = Signer(tmp_path, monkeypatch, "ssh")
    key = signer.key("mine")
    signer.knows(key)
    signer.land(1, key)
    (signer.path / "logs/outcomes").mkdir(parents=True)
    (signer.path / "logs/outcomes/outcome-002.json").write_text("{}")
    git(signer.path, "add", "-A")
    git(signer.path, "commit", "-qm", "just a file")
    bare = git(signer.path, "rev-parse", "HEAD")
    assert signer.report(required=True).findings == [(bare, f"the commit {bare[:12]} is not signed")]
