"""Settings: sources and their order, errors with file and line, keys that only their owner may read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import home as home_module
from orkestra_shim import keyring, settings
from orkestra_shim.errors import EX_CONFIG, OrkestraError
from orkestra_shim.home import Home


@pytest.fixture
def home(place: Path) -> Home:
    return home_module.open_home()


def write(home: Home, text: str) -> None:
    (home.config / "settings.env").write_text(text, "utf-8")


def test_defaults(home: Home) -> None:
    values = settings.load(home)
    assert {one.source for one in values.values()} == {"default"}
    assert values["ORKESTRA_PROJECTS"].text == str(home.folder / "PROJECTS")
    assert values["ORKESTRA_WORKERS"].text == "2"
    assert values["ORKESTRA_WORKSPACES_DIR"].text == os.environ["HOME"] + "/.cache/orkestra"


def test_a_launcher_is_words_as_they_stand(home: Home) -> None:
    write(home, "ORKESTRA_LAUNCHER=srun --ntasks=1 $(id)  # and more\n")
    assert settings.load(home)["ORKESTRA_LAUNCHER"].text == "srun --ntasks=1 $(id)"
    write(home, "ORKESTRA_LAUNCHER='srun\t-n1'\n")
    with pytest.raises(OrkestraError, match=r"ORKESTRA_LAUNCHER is .*; expected words with blanks between"):
        settings.load(home)


def test_file_then_environment(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "# mine\n\nORKESTRA_WORKERS=5\nexport ORKESTRA_GRACE='7'\n")
    values = settings.load(home)
    assert (values["ORKESTRA_WORKERS"].text, values["ORKESTRA_WORKERS"].source) == ("5", "settings.env:3")
    assert (values["ORKESTRA_GRACE"].text, values["ORKESTRA_GRACE"].source) == ("7", "settings.env:4")
    monkeypatch.setenv("ORKESTRA_WORKERS", "9")
    assert settings.load(home)["ORKESTRA_WORKERS"] == settings.Value("ORKESTRA_WORKERS", "9", "environment")


def test_the_environment_cannot_open_the_sandbox(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORKESTRA_SANDBOX_READ", "/")
    assert settings.load(home)["ORKESTRA_SANDBOX_READ"].text == ""


def test_nothing_is_interpolated(home: Home, place: Path) -> None:
    write(home, 'ORKESTRA_PROJECTS="${HOME}/$(id)"\n')
    assert settings.load(home)["ORKESTRA_PROJECTS"].text == str(home.folder / "${HOME}" / "$(id)")


def test_projects_relative_to_home_and_tilde(home: Home) -> None:
    write(home, "ORKESTRA_PROJECTS=../beside\n")
    assert settings.load(home)["ORKESTRA_PROJECTS"].text == str(home.folder.parent / "beside")
    write(home, "ORKESTRA_PROJECTS=~/work\n")
    assert settings.load(home)["ORKESTRA_PROJECTS"].text == os.environ["HOME"] + "/work"


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("ORKESTRA_WORKERS=2\nORKESTRA_WORKER=3\n", 2, "unknown setting ORKESTRA_WORKER"),
        ("\n# x\nANTHROPIC_API_KEY=abc\n", 3, "unknown setting ANTHROPIC_API_KEY"),
        ("ORKESTRA_WORKERS=many\n", 1, "a whole number from 1 to 256"),
        ("ORKESTRA_WORKERS=0\n", 1, "a whole number from 1 to 256"),
        ("ORKESTRA_WORKERS=1e9\n", 1, "a whole number"),
        ("ORKESTRA_SANDBOX=maybe\n", 1, "one of required, auto, off"),
        ("ORKESTRA_SANDBOX_READ=relative/path\n", 1, "absolute paths"),
        ("ORKESTRA_WORKERS\n", 1, "expected NAME=VALUE"),
        ("ORKESTRA_GRACE='unfinished\n", 1, "expected NAME=VALUE"),
    ],
)
def test_errors_name_file_and_line(home: Home, text: str, line: int, word: str) -> None:
    write(home, text)
    with pytest.raises(OrkestraError) as caught:
        settings.load(home)
    assert caught.value.code == EX_CONFIG
    assert f"settings.env:{line}: " in caught.value.message
    assert word in caught.value.message
    if word.endswith("ORKESTRA_WORKER"):
        assert caught.value.hint.startswith("perhaps ORKESTRA_WORKERS; "), caught.value.hint


def test_a_key_in_the_wrong_file_is_never_shown(home: Home) -> None:
    write(home, "OPENAI_API_KEY=sk-verysecret\n")
    with pytest.raises(OrkestraError) as caught:
        settings.load(home)
    assert "sk-verysecret" not in caught.value.lines()
    assert "api-keys.env" in caught.value.hint


def test_keys_need_mode_600(home: Home) -> None:
    path = home.config / "api-keys.env"
    path.write_text("A_KEY=one#two\nEMPTY=\nB_KEY='$HOME'\n", "utf-8")
    path.chmod(0o640)
    with pytest.raises(OrkestraError) as caught:
        keyring.need_private(home.config)
    assert caught.value.code == EX_CONFIG
    assert caught.value.hint.startswith("chmod 600 ")
    path.chmod(0o600)
    keyring.need_private(home.config)
    assert keyring.read(home.config).keys("") == {"A_KEY": "one#two", "B_KEY": "$HOME"}


def test_put_keeps_every_other_line(home: Home) -> None:
    write(home, "# about\nORKESTRA_GRACE=3\n\n#ORKESTRA_WORKERS=2\n")
    settings.put(home, "ORKESTRA_GRACE", "4")
    settings.put(home, "ORKESTRA_WORKERS", "6")
    text = (home.config / "settings.env").read_text("utf-8")
    assert text == "# about\nORKESTRA_GRACE=4\n\n#ORKESTRA_WORKERS=2\nORKESTRA_WORKERS=6\n"


def test_put_refuses_and_changes_nothing(home: Home) -> None:
    write(home, "ORKESTRA_GRACE=3\n")
    for key, value in (("ORKESTRA_GRACE", "soon"), ("ORKESTRA_NOTHING", "1"), ("PATH", "/")):
        with pytest.raises(OrkestraError):
            settings.put(home, key, value)
    assert (home.config / "settings.env").read_text("utf-8") == "ORKESTRA_GRACE=3\n"


@given(
    st.text(
        alphabet=st.characters(blacklist_characters=":\x7f", min_codepoint=32, blacklist_categories=["Cs"])
    )
)
def test_what_is_put_is_read_back(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("home")
    (folder / "CONFIG").mkdir()
    home = Home(root=folder, folder=folder)
    value = "/" + text
    settings.put(home, "ORKESTRA_PROJECTS", value)
    assert settings.load(home)["ORKESTRA_PROJECTS"].text == os.path.abspath(value)


def test_unset_home_falls_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    assert home_module.user_home().startswith("/")
    monkeypatch.delenv("HOME")
    assert home_module.user_home().startswith("/")
