"""What the orchestrator tells the store: the ORKESTRA_* environment and the keys."""

from __future__ import annotations

import os
import re
from pathlib import Path

from . import files, keyring, moments
from .checkout import Checkout
from .errors import EX_CONFIG, OrkestraError
from .objects import Objects
from .plumbing import Git


def _need(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise OrkestraError(EX_CONFIG, f"{name} is not set", "the store is started by the orchestrator")
    return value


class Surroundings:
    """Paths and settings of this run."""

    def __init__(self) -> None:
        """Raises 78 when the environment is incomplete or the keys cannot be read, 64 for what is no time."""
        self.scripts = Path(_need("ORKESTRA_SCRIPTS"))
        self.config = Path(_need("ORKESTRA_CONFIG"))
        self.logs = Path(_need("ORKESTRA_LOGS"))
        self.project = Path(_need("ORKESTRA_PROJECT"))
        self.runtime = Path(_need("ORKESTRA_RUNTIME"))
        self.workspaces = Path(_need("ORKESTRA_WORKSPACES"))
        self.branch = _need("ORKESTRA_BRANCH")
        self.git = Git(Path(_need("ORKESTRA_GIT_DIR")))
        self.objects = Objects(self.git)
        self.author = (
            os.environ.get("ORKESTRA_AUTHOR_NAME") or "Orkestra",
            os.environ.get("ORKESTRA_AUTHOR_EMAIL") or "orkestra@localhost",
        )
        self.signs = os.environ.get("ORKESTRA_SIGN") == "1"
        self.checkout = Checkout(self.project, self.git, self.branch)
        self.stay = os.environ.get("ORKESTRA_STAY", "0") == "1"
        self.patient = self.stay or os.environ.get("ORKESTRA_WAIT", "1") == "1"  # for limits to end
        self.only = [name for name in re.split(r"[\s,]+", os.environ.get("ORKESTRA_ONLY", "")) if name]
        until = os.environ.get("ORKESTRA_UNTIL", "")
        self.until = moments.next_moment(until) if until else 0.0
        self.max_cost = os.environ.get("ORKESTRA_MAX_COST", "")
        self.keys = keyring.read(self.config)
        self.secrets_file = Path(os.environ.get("ORKESTRA_SECRETS_FILE") or self.runtime / "secrets")

    def sync_branch(self) -> None:
        """The branch's place is on the disk: Git syncs its value, but not the name of it. Raises 73."""
        folder = (self.git.git_dir / "refs" / "heads" / self.branch).parent
        try:
            files.sync_folder(folder)
        except FileNotFoundError:  # packed meanwhile
            pass
        except OSError as error:
            raise files.cannot_write(folder, error) from None

    def secret_values(self) -> list[str]:
        """Values of the keys of all accounts that are secret."""
        return self.keys.secret_values()
