"""What a reviewer's prompt shows of a large change, and what the record says was not in it."""

from __future__ import annotations

import json
from pathlib import Path

from orkestra_shim import excerpt, prompts
from orkestra_shim.tasks import Task
from store_client import finish
from test_budgets import end, reviewed


def part(path: str, lines: int, removed: int = 0) -> bytes:
    """A file's part of a diff."""
    body = "".join(f"+{path} line {number}\n" for number in range(lines)) + "-gone\n" * removed
    head = f"diff --git a/{path} b/{path}\nindex 0..1 100644\n--- a/{path}\n+++ b/{path}\n@@ -0,0 +1 @@\n"
    return (head + body).encode()


def test_small_files_come_first_and_stand_in_their_order() -> None:
    diff = part("z.txt", 3) + part("huge.txt", 5000, 2) + part("a.txt", 3) + part("big.txt", 400)
    assert excerpt.of(diff, len(diff)) == excerpt.Excerpt(diff.decode())
    found = excerpt.of(diff, 9000)
    assert found.text == (part("z.txt", 3) + part("a.txt", 3) + part("big.txt", 400)).decode()
    assert found.left_out == [{"path": "huge.txt", "added": 5000, "removed": 2}]
    assert found.unseen() == {"files": 1, "paths": ["huge.txt"]}
    less = excerpt.of(diff, 500)
    assert [one["path"] for one in less.left_out] == ["huge.txt", "big.txt"]


def test_where_no_file_fits_its_beginning_is_shown() -> None:
    found = excerpt.of(part("one.txt", 900), 300)
    assert found.text == part("one.txt", 900)[:300].decode() and found.left_out[0]["path"] == "one.txt"
    assert excerpt.of(b"+no header\n" * 99, 50).left_out == [{"path": "", "added": 99, "removed": 0}]


def test_names_of_every_kind() -> None:
    renamed = b"diff --git a/old b/new\nsimilarity index 90%\nrename from old\nrename to new\n" + b"+x\n" * 50
    gone = b"diff --git a/was b/was\ndeleted file mode 100644\n--- a/was\n+++ /dev/null\n" + b"-x\n" * 50
    binary = b"diff --git a/pic.png b/pic.png\nGIT binary patch\nliteral 9\n" + b"z" * 150 + b"\n"
    quoted = b'diff --git "a/t\\n" "b/t\\n"\n--- /dev/null\n+++ "b/t\\n"\n' + b"+x\n" * 50
    evil = "diff --git a/x b/x\n--- a/x\n+++ b/\u202ex\n".encode() + b"+x\n" * 50
    found = excerpt.of(renamed + gone + binary + quoted + evil, 10)
    assert [one["path"] for one in found.left_out] == [
        "new",
        "was",
        "pic.png",
        "t\\\\n".replace("\\\\", "\\"),
        "\\u202ex",
    ]


def test_the_prompt_names_them_as_data_and_keeps_its_size() -> None:
    diff = b"".join(part(f"f{number}.txt", 2000) for number in range(300))
    shown = excerpt.of(diff, prompts.DIFF_LIMIT)
    task = Task({"id": "t", "title": "T"}, 0)
    text = prompts.render(prompts.REVIEW, prompts.review_values(task, [], shown), prompts.NONE)
    assert len(text) < prompts.DIFF_LIMIT + 20_000 and "more" in text
    mark = next(line for line in text.splitlines() if line.startswith("QUOTE-"))
    parts = text.split(f"\n{mark}\n")  # every second one is data
    assert f"{shown.left_out[0]['path']} (+2000 -0)" in "".join(parts[1::2])
    assert "(+2000 -0)" not in "".join(parts[::2])


def test_the_record_says_what_was_not_in_the_prompt(place: Path) -> None:
    store, worker = reviewed(place)
    found = worker.project
    end(worker, 0.3, "0")
    worker.change({"big.txt": b"some words on a line\n" * 20_000, "small.txt": b"x\n"})
    worker.judge()
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    prompt = (Path(opened[3]) / "judge" / "prompt.md").read_text()
    assert "small.txt" in prompt and "big.txt (+20000 -0)" in prompt and len(prompt) < 50_000
    out = Path(opened[3]) / "judge" / "out"
    out.mkdir(parents=True)
    yes = {"ballot": {"choice": "approve", "reason": "so", "confidence": 50}}
    (out / "result.json").write_text(json.dumps(yes))
    (Path(opened[3]) / "ballots.tsv").write_text("judge\t0\t\nlint\t0\tfine\n")
    assert worker.client.ask("vote-close", opened[2])[1] == "approve"
    (kept,) = found.path.glob("logs/execution/attempts/a/*/votes/*/vote.json")
    assert json.loads(kept.read_text())["unseen"] == {"files": 1, "paths": ["big.txt"]}
    finish(store)
    store.end()
