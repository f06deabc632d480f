"""The picture of a run in README.md: the screen of `orkestra demo` as a terminal shows it, drawn as SVG.

    .venv/bin/python tests/helpers/picture.py docs/start.svg

It runs the demo in a fresh home within tmux, and draws what stood there when the reviewers had sent work back
and both workers were at something: text that can be selected, in light and in dark. Exit: 0; 1 where that
moment did not come.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, ROWS = 110, 18
WIDTH, HEIGHT, MARGIN, BAR = 8.43, 19, 16, 30  # of a character, a line, around, of the window's bar
MOMENT = ("sent back by the reviewers", "w1 ", "w2 ")
NAMES = dict(enumerate(["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"], 30))
SGR = re.compile(r"\x1b\[([0-9;]*)m")
STYLE = """
.ground{fill:#fff;stroke:#d0d7de}.text{fill:#1f2328;white-space:pre}.dot{fill:#d0d7de}.name{fill:#656d76}
.dim{opacity:.65}.bold{font-weight:600}.red{fill:#cf222e}.green{fill:#1a7f37}.yellow{fill:#7d4e00}.blue{fill:#0969da}
.magenta{fill:#8250df}.cyan{fill:#1b7c83}.black,.white{fill:#57606a}
@media (prefers-color-scheme:dark){.ground{fill:#0d1117;stroke:#30363d}.text{fill:#e6edf3}.dot{fill:#30363d}
.name{fill:#8d96a0}.red{fill:#ff7b72}.green{fill:#3fb950}.yellow{fill:#d29922}.blue{fill:#58a6ff}.magenta{fill:#bc8cff}
.cyan{fill:#39c5cf}.black,.white{fill:#8b949e}}
"""


@dataclass(frozen=True)
class Look:
    """How characters are shown."""

    colour: str = ""
    bold: bool = False
    dim: bool = False

    def after(self, codes: str) -> Look:
        """With what an escape sequence says."""
        look = self
        for code in (int(one or 0) for one in codes.split(";")):
            if code == 0:
                look = Look()
            elif code in (1, 2, 22):
                look = replace(look, bold=code == 1, dim=code == 2)
            elif code == 39 or code in NAMES or code - 60 in NAMES:
                look = replace(look, colour=NAMES.get(code, NAMES.get(code - 60, "")))
        return look

    def classes(self) -> str:
        """Of CSS."""
        names = [self.colour, "bold" if self.bold else "", "dim" if self.dim else ""]
        return " ".join(name for name in names if name)


def captured() -> list[str]:
    """The lines of the screen at the moment that is to be shown, with their escape sequences."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        tmux = ["tmux", "-f", "/dev/null", "-S", f"{place}/socket"]
        keep = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "HOME": place}
        keep |= {"ORKESTRA_HOME": f"{place}/Orkestra", "GIT_CONFIG_GLOBAL": os.devnull}
        keep |= {"ORKESTRA_VENV": os.environ.get("ORKESTRA_VENV", str(ROOT / ".venv"))}
        command = f"'{ROOT}/bin/orkestra' demo; touch '{place}/ended'; sleep 600"
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        subprocess.run([*tmux, "new-session", "-d", *size, command], env=keep, check=True)
        found: list[str] = []
        while not Path(place, "ended").exists():
            screen = subprocess.run([*tmux, "capture-pane", "-e", "-p"], capture_output=True, check=True)
            text = screen.stdout.decode()
            plain = SGR.sub("", text)
            if not found and all(part in plain for part in MOMENT) and "waits for a task" not in plain:
                found = text.replace(place, "~").rstrip("\n").split("\n")
            time.sleep(0.1)
        subprocess.run([*tmux, "kill-server"], check=True)
    if not found:
        print("picture: that moment did not come; try again", file=sys.stderr)
        sys.exit(1)
    return found


def runs(line: str, look: Look) -> tuple[list[tuple[int, str, Look]], Look]:
    """(column, text, look) of each stretch of one look, and the look that goes on into the next line."""
    found, column = [], 0
    for at, part in enumerate(SGR.split(line)):
        if at % 2:
            look = look.after(part)
        elif part:
            if part.strip():
                left = len(part) - len(part.lstrip())
                found.append((column + left, part.strip(), look))
            column += len(part)
    return found, look


def drawn(lines: list[str]) -> str:
    """The SVG."""
    columns = max(len(SGR.sub("", line)) for line in lines)
    wide, high = columns * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + BAR + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high}" width="{wide:.0f}" '
        f'height="{high}" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" '
        'role="img" aria-labelledby="title">',
        '<title id="title">The screen of a run: progress, what each worker is at, what was decided</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x=".5" y=".5" width="{wide - 1:.0f}" height="{high - 1}" rx="8"/>',
        *(f'<circle class="dot" cx="{MARGIN + 5 + 18 * at}" cy="{BAR - 8}" r="5"/>' for at in range(3)),
        f'<text class="name" x="{wide / 2:.0f}" y="{BAR - 3}" text-anchor="middle">orkestra demo</text>',
    ]
    look = Look()
    for row, line in enumerate(lines):
        stretches, look = runs(line, look)
        for column, text, one in stretches:
            x, y = MARGIN + column * WIDTH, BAR + MARGIN + row * HEIGHT + 14
            parts.append(
                f'<text class="{("text " + one.classes()).strip()}" x="{x:.1f}" y="{y}" '
                f'textLength="{len(text) * WIDTH:.1f}" lengthAdjust="spacingAndGlyphs">{escape(text)}</text>'
            )
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    """Writes the file that is named."""
    Path(sys.argv[1]).write_text(drawn(captured()), "utf-8")


if __name__ == "__main__":
    main()
