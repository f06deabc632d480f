"""config ...: the settings in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orkestra_shim.commands import Group, as_json, say, say_json, session

if TYPE_CHECKING:
    from orkestra_shim.session import Session


@click.group(cls=Group, invoke_without_command=True)
@as_json
@click.pass_context
def config(context: click.Context, as_json: bool) -> None:
    """Show or change the settings."""
    if context.invoked_subcommand is not None:
        return
    now = session()
    found = _key_names(now)
    if as_json:
        say_json(
            {
                "home": str(now.home.folder),
                "framework": str(now.home.root),
                "settings": {
                    key: {"value": one.text, "source": one.source} for key, one in now.values.items()
                },
                "keys": found[""],
                "accounts": {account: found[account] for account in list(found)[1:]},
            }
        )
        return
    say(f"home       {now.home.folder}")
    say(f"framework  {now.home.root}")
    width = max(map(len, now.values))
    for key, one in now.values.items():
        say(f"{key:<{width}}  {one.text or '(empty)'}  [{one.source}]")
    say("keys: " + (", ".join(found[""]) or f"none in {now.home.config / 'api-keys.env'}"))
    for account in list(found)[1:]:
        say(f"keys of the account {account}: " + (", ".join(found[account]) or "none"))


def _key_names(now: Session) -> dict[str, list[str]]:
    from orkestra_shim import keyring

    keyring.need_private(now.home.config)
    return {account: sorted(own) for account, own in keyring.read(now.home.config).by_account.items()}


@config.command(name="get")
@click.argument("key", metavar="SETTING")
def config_get(key: str) -> None:
    """Print the value of one setting."""
    from orkestra_shim import settings

    settings.need_known(key)
    say(session().values[key].text)


@config.command(name="set")
@click.argument("key", metavar="SETTING")
@click.argument("value")
def config_set(key: str, value: str) -> None:
    """Write one setting into CONFIG/settings.env."""
    from orkestra_shim import settings

    now = session()
    settings.put(now.home, key, value)
    say(f"{key} is set in {now.home.config / 'settings.env'}")
    if settings.load(now.home)[key].source == "environment":
        say(f"note: the environment has another value of {key}, which wins", err=True)
