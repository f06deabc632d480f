"""`orkestra report` in real Chromium: the records' totals, no network, by keyboard, in the dark, on paper."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from world import FRAMEWORK, Project, World

Page = webdriver.Chrome
HOSTILE = '<script>document.title="owned"</script> | @you #1 `x` \u202eevil'
COSTS = ("usd_micros", "tokens", "seconds")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Page]:
    """Debian's Chromium, without a window, its console and its requests kept."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("this machine has no chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for word in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1280,1000",
    ):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    page = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    page.set_page_load_timeout(120)
    yield page
    page.quit()


def report(project: Project, *arguments: str) -> str:
    """What the command prints."""
    done = project.world.orkestra("report", "--project", str(project.path), *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def night(world: World) -> Project:
    """Twelve tasks: nine land (one of them is undone), one fails, one needs a person, one is blocked."""
    tasks: list[dict[str, Any]] = [
        {"id": "first", "title": HOSTILE, "command": "sleep 1.1; echo 1 >1"},
        {"id": "bad", "title": "It fails", "command": "exit 4", "max_attempts": 1},
        {"id": "behind", "title": "After it", "command": "true", "depends_on": ["bad"]},
        {"id": "judge", "title": "What judges", "command": "mkdir -p tests && echo >tests/x"},
    ]
    for number in range(8):
        command, before = f"echo {number} >f{number}", ["first"] if number < 4 else [f"t{number - 4}"]
        tasks.append(
            {"id": f"t{number}", "title": f"Task {number}", "command": command, "depends_on": before}
        )
    project = world.new("night", tasks, check="test -e . && ! false")
    assert project.start("--workers", "2").returncode == 1
    undone = world.orkestra("undo", "--project", str(project.path), "t7")
    assert undone.returncode == 0, undone.stderr
    return project


def records_cost(outcomes: list[dict[str, Any]]) -> dict[str, int]:
    """The sums of the records, counted here."""
    return {key: sum(outcome["cost"][key] for outcome in outcomes) for key in COSTS}


def errors(page: Page) -> list[str]:
    """What the browser's console complained of, a refused script among it."""
    found: list[dict[str, Any]] = page.get_log("browser")
    return [str(entry["message"]) for entry in found]


def requested(page: Page) -> set[str]:
    """Addresses that were asked for; the browser's own first page needs no network either."""
    messages = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = [one["params"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    found = {str(one["request"]["url"]) for one in asked}
    return {address for address in found if not address.startswith(("chrome:", "data:"))}


def tiles(page: Page) -> dict[str, str]:
    """The numbers at the top."""
    found = page.find_elements(By.CSS_SELECTOR, ".tiles div")
    names = [one.find_element(By.TAG_NAME, "dt").text.lstrip("!✓✗?▶○…–↶· ") for one in found]
    return dict(zip(names, (one.find_element(By.TAG_NAME, "dd").text for one in found), strict=True))


def pages_on_paper(page: Page) -> int:
    """Prints, and counts the sheets."""
    printed = page.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed["data"])))


def test_a_night_in_the_browser(world: World, browser: Page) -> None:
    project = night(world)
    outcomes = project.outcomes()
    file = Path(report(project).strip())
    assert file == project.path / "logs" / "execution" / "report.html"
    assert project.git("status", "--porcelain") == ""
    told = json.loads(report(project, "--json"))
    assert {key: told["cost"][key] for key in COSTS} == records_cost(outcomes)
    assert told["cost"]["seconds"] > 0
    decisions = sorted(outcome["decision"] for outcome in outcomes)
    assert decisions == ["failed", *["landed"] * 9, "needs_human", "undone"]
    spent = {key: sum(one[key] for one in told["spending"]) for key in COSTS}
    assert spent == records_cost(outcomes) and sum(one["landed"] for one in told["spending"]) == 9
    assert [one["task"] for one in told["failed"]] == ["bad"]
    assert [one["task"] for one in told["needs_you"]] == ["judge"]
    assert told["blocked"] == [{"task": "behind", "by": "bad"}]
    (taken,) = [one for one in told["decisions"] if one["undone_by"]]
    assert taken["outcome"]["task"] == "t7" and taken["undo"] is None

    browser.get(file.as_uri())
    assert errors(browser) == [] and requested(browser) == {file.as_uri()}
    assert browser.title == "night: what was built, and who decided it"
    shown = tiles(browser)
    assert (shown["completed"], shown["failed"], shown["needs human"], shown["waiting"]) == (
        "8",
        "1",
        "1",
        "1",
    )
    assert shown["tokens"] == "0" and shown["spent"] == "$0.00"
    text = browser.find_element(By.TAG_NAME, "body").text
    assert '<script>document.title="owned"</script>' in text and "\u202e" not in browser.page_source
    assert "orkestra task retry bad" in text and "behind (by bad)" in text
    assert len(browser.find_elements(By.CSS_SELECTOR, "svg .node")) == 12
    stages = {one.get_attribute("class") for one in browser.find_elements(By.CSS_SELECTOR, "svg rect[class]")}
    assert {"waiting", "working", "node"} <= stages
    assert_keyboard(browser)
    assert_light_and_dark(browser)
    closed = browser.execute_script("return document.querySelectorAll('details[open]').length")
    assert closed <= 1  # the one that the keyboard opened
    browser.execute_script(
        "window.opened = 0; addEventListener('beforeprint', () => {"
        "window.opened = document.querySelectorAll('details[open]').length; })"
    )
    browser.find_element(By.ID, "filter").send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.BACKSPACE)
    assert pages_on_paper(browser) >= 5
    assert browser.execute_script("return window.opened") == 12
    assert browser.execute_script("return document.querySelectorAll('details[open]').length") == closed


def assert_keyboard(page: Page) -> None:
    """From the top with Tab to the filter; it narrows, and Enter opens what it left."""
    keys = ActionChains(page)
    for _ in range(60):
        keys.send_keys(Keys.TAB).perform()
        focused = page.switch_to.active_element
        outline = focused.value_of_css_property("outline-style")
        assert outline == "solid", f"nobody sees that {focused.tag_name} has the focus"
        if focused.get_attribute("id") == "filter":
            break
    else:
        raise AssertionError("the keyboard does not reach the filter")
    focused.send_keys("outcome-0 bad")
    visible = [one for one in page.find_elements(By.CSS_SELECTOR, "#decisions details") if one.is_displayed()]
    assert len(visible) == 1 and "1 of 12" in page.find_element(By.ID, "found").text
    ActionChains(page).send_keys(Keys.TAB, Keys.ENTER).perform()
    assert visible[0].get_attribute("open") and "exit 4" not in visible[0].text
    assert "bad" in visible[0].text and "Evidence" in visible[0].text


def assert_light_and_dark(page: Page) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        body = page.find_element(By.TAG_NAME, "body")
        ground, ink = (body.value_of_css_property(name) for name in ("background-color", "color"))
        grounds.append((brightness(ground), brightness(ink)))
    (light, dark_ink), (dark, light_ink) = grounds
    assert light > 240 and dark_ink < 60 and dark < 40 and light_ink > 200


def brightness(colour: str) -> float:
    """0 to 255, of what CSS computed."""
    numbers = [float(one) for one in re.findall(r"[0-9.]+", colour)[:3]]
    return sum(numbers) / 3


def test_a_clone_markdown_and_where_it_goes(world: World) -> None:
    project = night(world)
    whole = json.loads(report(project, "--json"))
    clone = world.place / "clone"
    subprocess.run(["git", "clone", "-q", str(project.path), str(clone)], check=True, env=world.env())
    theirs = json.loads(report(Project(world, clone), "--json"))
    assert theirs["timeline"]["from"] == "records" and theirs["timeline"]["attempts"]
    for key in ("cost", "spending", "decided", "counts", "failed"):
        assert theirs[key] == whole[key], key

    page = report(project, "--format", "markdown", "-o", "-")
    assert "| judge, needs a person |" in page and "## Spending by agent" in page
    line = next(line for line in page.splitlines() if "| first: " in line)
    assert line.count("|") == 8, "the title made columns"
    assert not re.search(r"[<>`@\u202e]|#1\b", line.replace("&#", "")) and "&#60;script&#62;" in line
    graph = page.split("```mermaid\nflowchart LR\n")[1].split("```")[0]
    known = set(re.findall(r'^  (t[0-9]+)\["[a-z0-9._-]+"\]:::[a-z_]+$', graph, re.M))
    edges = re.findall(r"^  (t[0-9]+) --> (t[0-9]+)$", graph, re.M)
    assert len(known) == 12 and len(edges) == 9 and {name for edge in edges for name in edge} <= known

    wrong = world.orkestra("report", "--project", str(project.path), "-o", str(world.place / "no" / "x.html"))
    assert wrong.returncode == 73 and "no/x.html" in wrong.stderr and len(wrong.stderr.splitlines()) <= 2
    both = world.orkestra("report", "--project", str(project.path), "--open", "--json")
    assert both.returncode == 64


TOOL = """\
#!/bin/bash
case $1 in
  describe) echo '{"name": "mytool", "family": "mine", "kind": "ai", "can": ["work"]}' ;;
  work) cat >/dev/null; echo "$RANDOM" >made; echo '{"text": "done"}' >"$ORKESTRA_ATTEMPT_DIR/result.json" ;;
esac
"""
# Words of Mermaid's own among them.
ODD = ("end", "section", "graph", "click", "0", "a.b-c_d", "x" * 64)
DRAWS = """
const [texts, done] = [arguments[0], arguments[arguments.length - 1]];
(async () => {
  const found = [];
  mermaid.initialize({startOnLoad: false});
  for (const [at, text] of texts.entries()) {
    await mermaid.parse(text);
    found.push((await mermaid.render("drawing" + at, text)).svg);
  }
  return found;
})().then(done, error => done("" + error));
"""


def mermaids_of(page: str) -> list[str]:
    return re.findall(r"^```mermaid\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def test_mermaid_draws_what_the_markdown_says(world: World, browser: Page) -> None:
    adapter = world.home / "CONFIG" / "agents" / "mytool"
    adapter.parent.mkdir(parents=True)
    adapter.write_text(TOOL)
    adapter.chmod(0o755)
    tasks: list[dict[str, Any]] = [
        {"id": name, "title": HOSTILE, "command": f"echo {at} >f{at}"} for at, name in enumerate(ODD)
    ]
    tasks[1] |= {"agent": "mytool:a/model:1", "depends_on": ["end"]}
    tasks[2] |= {"command": "exit 4", "max_attempts": 1, "depends_on": ["end"]}
    tasks[3] |= {"depends_on": ["graph"]}
    project = world.new("drawn", tasks, agents=["mytool"])
    assert project.start().returncode == 1

    cache = Path(sys.prefix) / "test-cache" / "mermaid"
    install = [FRAMEWORK / "tests" / "helpers" / "install-mermaid.sh", cache]
    mermaid = subprocess.run(install, capture_output=True, text=True, check=True).stdout.strip()
    page = world.place / "mermaid.html"
    page.write_text(f'<meta charset="utf-8"><script src="{Path(mermaid).as_uri()}"></script>')
    browser.get(page.as_uri())
    graph, gantt = mermaids_of(report(project, "--format", "markdown", "-o", "-"))
    drawn = browser.execute_async_script(DRAWS, [graph, gantt])
    assert isinstance(drawn, list), drawn
    nodes = re.findall(r'class="node [^>]*>.*?<p>(.*?)</p>', drawn[0])
    assert nodes == list(ODD) and len(re.findall(r'class="[^"]*flowchart-link', drawn[0])) == 3
    bars = re.findall(r'<text class="taskText[^>]*>(.*?)</text>', drawn[1])
    assert sorted(one.strip() for one in bars) == ["try 1 by mytool:a/model:1", *["try 1 by shell"] * 5]
    assert errors(browser) == [] and all(one.startswith("file:") for one in requested(browser))


def test_nothing_was_done_yet(world: World, browser: Page) -> None:
    project = world.new("fresh", [])
    browser.get(Path(report(project).strip()).as_uri())
    assert errors(browser) == []
    text = browser.find_element(By.TAG_NAME, "main").text
    assert "No tasks yet." in text and "Nothing was done yet." in text and "Nothing was spent." in text


def grown(project: Project, number: int) -> None:
    """A project whose records and log are those of its one task, so many times."""
    (outcome,), (vote,) = project.outcomes(), project.votes()
    log = project.path / "logs" / "execution" / "task-execution.log"
    events = [json.loads(line) for line in log.read_text().splitlines()]
    lines, tasks = [json.dumps(event) for event in events], []
    for at in range(2, number + 1):
        name, folder = f"task-{at}", "" if at < 1000 else f"{at // 100}xx/"
        ids = {"id": f"outcome-{at:03d}", "task": name, "sha256": f"{at:064x}"}
        its_vote = {"id": f"vote-{at:03d}", "sha256": "0" * 64}
        own = {**outcome, **ids, "votes": [its_vote], "cost": {"usd_micros": at, "tokens": 7, "seconds": 3}}
        write(project.path / f"logs/outcomes/{folder}{own['id']}.json", own)
        write(
            project.path / f"logs/voting/{folder}{its_vote['id']}.json",
            {**vote, "id": its_vote["id"], "task": name},
        )
        before = [f"task-{one}" for one in (at - 1, at - 7, at // 2) if one > 1]
        tasks.append(
            {"id": name, "title": f"Task number {at}", "depends_on": sorted(set(before)), "command": "true"}
        )
        shift = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_800_000_000 + at * 5))}
        lines += [json.dumps({**event, **shift, "task": name}) for event in events if event.get("task")]
    log.write_text("\n".join(lines) + "\n")
    project.git("add", "logs")
    project.tasks([{"id": "one", "command": "true"}, *tasks])


def write(path: Path, record: dict[str, Any]) -> None:
    """A record as it stands on a branch, as far as reading goes."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record))


def test_a_thousand_tasks(world: World, browser: Page) -> None:
    project = world.new("large", [{"id": "one", "command": "echo 1 >1"}])
    assert project.start().returncode == 0
    grown(project, 1000)
    outcomes = project.git("ls-tree", "-r", "--name-only", "HEAD", "logs/outcomes").splitlines()
    assert len([name for name in outcomes if name.endswith(".json")]) == 1000
    file = Path(report(project).strip())
    told = json.loads(report(project, "--json"))
    assert told["cost"]["tokens"] == 999 * 7 and told["decided"] == {"landed": 1000}
    assert told["cost"]["usd_micros"] == sum(range(2, 1001)) and told["counts"] == {"completed": 1000}
    browser.get(file.as_uri())
    assert errors(browser) == []
    assert tiles(browser)["completed"] == "1000"
    assert len(browser.find_elements(By.CSS_SELECTOR, "svg .dot")) == 1000
    browser.find_element(By.ID, "filter").send_keys("task-777:")
    assert "1 of 1000" in browser.find_element(By.ID, "found").text
    assert "too many for a drawing" in report(project, "--format", "markdown", "-o", "-")
