"""Several accounts of one tool: each has its own keys and logins, and nobody gets another's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orkestra_shim import keyring, settings
from orkestra_shim.agents import Agents
from orkestra_shim.errors import EX_CONFIG, EX_USAGE, OrkestraError
from orkestra_shim.text import word
from store_client import Project, Worker

OWN, WORK = "sk-my-own-key-1234", "sk-key-of-work-5678"
LOGIN = {"token": "a-login-of-work-0123456789"}


def write_keys(config: Path, account: str, text: str) -> Path:
    folder = config / "accounts" / account if account else config
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / "api-keys.env").write_text(text)
    (folder / "api-keys.env").chmod(0o600)
    return folder


def bot(project: Project, probe: str = "printf 'binary\\t/bin/true\\n'") -> None:
    told = {"family": "acme", "kind": "ai", "can": ["work", "ballot"], "env": ["BOT_KEY"]}
    project.adapter("bot", probe, **told, base_url_env=["BOT_URL"], credentials=[".bot/login.json"])


def agents_of(project: Project) -> Agents:
    return Agents(project.folder, project.config, keyring.read(project.config))


@pytest.fixture
def project(place: Path) -> Project:
    names = ["bot", "bot@work", "bot@work:large"]
    made = Project(place / "p", [{"id": f"t{at}", "agent": name} for at, name in enumerate(names)])
    bot(made)
    write_keys(made.config, "", f"BOT_KEY={OWN}\nBOT_URL=https://own.example/v1\n")
    return made


def test_an_account_has_its_keys_and_never_the_users_own(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOT_KEY", "sk-of-the-shell-9999")
    write_keys(project.config, "work", f"BOT_KEY={WORK}\n")
    write_keys(project.config, "empty", "")
    known = agents_of(project)
    address = {"BOT_URL": "https://own.example/v1"}
    assert known.environment(known.get("bot")) == {"BOT_KEY": OWN, **address}
    # Nor does its key go to the address that is the user's own.
    assert known.environment(known.get("bot@work")) == {"BOT_KEY": WORK}
    assert known.environment(known.get("bot@work:x")) == {"BOT_KEY": WORK, "ORKESTRA_MODEL": "x"}
    assert known.environment(known.get("bot@empty")) == {}
    write_keys(project.config, "work", f"BOT_KEY={WORK}\nBOT_URL=https://work.example\n")
    monkeypatch.setenv("BOT_URL", "https://shell.example")
    known = agents_of(project)
    assert known.environment(known.get("bot@work"))["BOT_URL"] == "https://work.example"
    assert known.environment(known.get("bot"))["BOT_URL"] == "https://shell.example"
    assert known.get("bot@work").account_id == known.get("bot@work:x").account_id == "bot@work"


def test_an_account_that_is_not_there_says_what_to_do(project: Project) -> None:
    said = agents_of(project).get("bot@home").problem
    assert "there is no account 'home'" in said and "CONFIG/accounts/home/api-keys.env" in said


def test_the_login_of_an_account_is_looked_for_in_its_own_home(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = 'test -s "$HOME/.bot/login.json" || exit 77; printf "binary\\t$ORKESTRA_USER_HOME/bin/bot\\n"'
    bot(project, probe)
    mine = Path(os.environ["HOME"]) / ".bot"
    mine.mkdir()
    (mine / "login.json").write_text("{}")
    write_keys(project.config, "work", "")
    known = agents_of(project)
    assert known.get("bot").problem == "" and known.home(known.get("bot")) == os.environ["HOME"]
    said = known.get("bot@work").problem
    assert "'work' is not logged in" in said and "orkestra agents login bot@work" in said
    home = keyring.make_home(project.config, "work")
    assert home.stat().st_mode & 0o777 == 0o700
    (home / ".bot").mkdir()
    (home / ".bot" / "login.json").write_text("{}")
    known = agents_of(project)
    found = known.get("bot@work:large")
    assert (found.problem, known.home(found)) == ("", str(home))
    # The tool itself may be installed below the user's own HOME.
    assert found.binary == f"{os.environ['HOME']}/bin/bot"


def test_a_ticket_has_the_login_and_the_key_of_its_account_and_no_other(project: Project) -> None:
    write_keys(project.config, "work", f"BOT_KEY={WORK}\n")
    login = keyring.make_home(project.config, "work") / ".bot" / "login.json"
    login.parent.mkdir()
    login.write_text(json.dumps(LOGIN))
    store = project.start()
    seen = {}
    workers = [Worker(store, name) for name in ("w1", "w2", "w3")]
    for worker in workers:
        agent = worker.claim()[4]
        given = [(worker.ticket / name).read_bytes().decode().split("\0") for name in ("env", "credentials")]
        seen[agent] = (given[0][:-1], given[1][:-1])
    own = (["BOT_KEY=" + OWN, "BOT_URL=https://own.example/v1"], [])
    work = (["BOT_KEY=" + WORK], [str(login), ".bot/login.json"])
    assert seen["bot"] == own and seen["bot@work"] == work
    assert seen["bot@work:large"] == ([*work[0], "ORKESTRA_MODEL=large"], work[1])
    store.kill()


def test_the_keys_of_every_account_are_known_as_keys(project: Project) -> None:
    write_keys(project.config, "work", f"BOT_KEY={WORK}\nWORK_URL=https://me:pass-word-12@host/\n")
    assert keyring.read(project.config).secret_values() == [OWN, WORK, "pass-word-12"]
    project.write_queue([{"id": "a", "agent": "bot", "title": f"with {WORK} in it"}])
    code, said = project.start().failure()
    assert code == 65 and "task-queue.json" in said and WORK not in said
    project.write_queue([{"id": "a", "agent": "bot"}])
    store = project.start()
    Worker(store).claim()
    assert WORK in (project.runtime / "secrets").read_text()
    store.kill()


def test_a_login_that_is_not_valid_ends_every_model_of_the_account(project: Project) -> None:
    project.write_queue(
        [{"id": "a", "agent": "bot:x"}, {"id": "b", "agent": "bot:y"}, {"id": "c", "agent": "bot@work"}]
    )
    write_keys(project.config, "work", f"BOT_KEY={WORK}\n")
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[4] == "bot:x"
    reply = worker.client.ask("worked", "77", "1")
    assert reply[1] == "unavailable" and "orkestra agents login bot," in reply[2]
    assert worker.claim()[4] == "bot@work"
    assert worker.client.ask("released", "x")[0] == "ok"
    store.kill()


def test_an_old_login_that_was_refused_is_not_the_end_of_the_account(project: Project) -> None:
    project.write_queue([{"id": "a", "agent": "bot@work"}])
    home = keyring.make_home(project.config, "work")
    login = home / ".bot" / "login.json"
    login.parent.mkdir()
    login.write_text(json.dumps(LOGIN))
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "a"
    # Another agent's tool has refreshed it meanwhile.
    ticket = (worker.ticket / "credentials").stat().st_mtime_ns
    os.utime(login, ns=(ticket + 1, ticket + 1))
    assert "refreshed meanwhile" in worker.client.ask("worked", "77", "1")[2]
    assert worker.claim()[2] == "a"
    # Once: a tool that refreshes what is refused all the same would go on for ever.
    os.utime(login, ns=(2 * ticket, 2 * ticket))
    assert "orkestra agents login bot@work" in worker.client.ask("worked", "77", "1")[2]
    assert worker.claim()[1] == "stop"
    store.kill()


def test_a_model_that_is_asked_for_later_knows_that_its_login_is_not_valid(project: Project) -> None:
    write_keys(project.config, "work", f"BOT_KEY={WORK}\n")
    known = agents_of(project)
    known.cannot(known.get("bot:x"), "401", whole_account=True)
    known.cannot(known.get("bot@work:x"), "gone", whole_account=False)
    assert known.get("bot:y").problem == "401" and known.get("bot@work:y").problem == ""


def test_what_others_may_read_is_refused(place: Path) -> None:
    folder = write_keys(place, "work", "A=1\n")
    home = keyring.make_home(place, "work")
    keyring.need_private(place)
    home.chmod(0o750)
    with pytest.raises(OrkestraError, match="can be used by others") as caught:
        keyring.need_private(place)
    assert (caught.value.code, caught.value.hint) == (EX_CONFIG, f"chmod 700 {word(home)}")
    home.chmod(0o700)
    (folder / "api-keys.env").chmod(0o604)
    with pytest.raises(OrkestraError, match="can be read by others"):
        keyring.need_private(place)


def test_folders_that_are_no_accounts(place: Path) -> None:
    (place / "accounts" / ".hidden").mkdir(parents=True)
    (place / "accounts" / "a-file").touch()
    assert keyring.accounts(place) == []
    (place / "accounts" / "My Account").mkdir()
    with pytest.raises(OrkestraError, match="no account can have this name"):
        keyring.accounts(place)
    for name in ("", "../x", "a/b", "A", ".."):
        with pytest.raises(OrkestraError) as caught:
            keyring.make_home(place, name)
        assert caught.value.code == EX_USAGE
    write_keys(place, "My Account", "not a line\n")
    with pytest.raises(OrkestraError):
        settings.read_keys(place / "accounts" / "My Account" / "api-keys.env")
