"""Orkestra's Python side: the command, the store, and what both need to read.

The command: `cli`, `commands`, `session`; `create`, `adopt` (`fitness`, `suggest`), `editing` (`editor`),
`importing` (of `incoming` files: `checklist`, `issuelist`, `taskmaster`, `tasktable`; of models: `tasklist`),
`board` (with `progress`, `spent`; shown by `standing`, and since a time by `morning` with `clock`),
`onetask` of it (with `tries`), `demo`, `doctor` (`lacking`),
`verify` (with `landed`, `changes`, `findings`; `kinds` of votes), `crontab`, and
`scripts`, which hands over to Bash (`context`
tells it where). `once` is what cron calls (with `tools`). `consistency` looks at a whole project; `mending`
does what `doctor --fix` lists: each `leftover` in a project (`leftovers`, `unlanded`, `staleness`; a `place`,
`processes`), and what is `abandoned`.
`undo` reads and writes the records for `CORE/undo.sh` (`reversal`: what was built on a change).
`tally` counts any vote (`counting`, `irv`; `deciding`
asks the jq programs): a `profiles` from a `profilefile` (`profilejson`, `ballotfiles`), told by `tallied`.
`verify` asks `witnesses`, too: the history, the checkout, a pinned commit.
`weighing` says what a member's vote weighs (by `judging`, or as the project says).
`polls` (told by `polled`) are the votes that are no review, on papers of a `ranking`; `asked` waits for one.
`offers` are the lists of a plan (`planning`) as a person is shown them.
`voted` shows votes that were held, `contenders` what became of candidates; `blame` says whose work a line is
(`spots`, `accounts`). `report` is all of it as a page (`timeline`, `drawing`); `screen` shows a run that goes
on (`live`), `attemptlog` what was
said; `notify` tells a person's own command; `manual` makes manual pages, `reference` docs (with `messages`,
of `wording`); `shapes` are the schemas of what is printed and read.

Agents, for people: `roster` is which there are (`login` calls a tool's own; `judging` is how they voted); a
`trial` plays the bad `days`, each a `rehearsal`, in `seclusion`.

The store, one for each run: `store` (verbs) over `pipes` and `wire`; `run` is its state, with
`surroundings`, `queue` (`tasks`, `graph`, `positions`), `edits` (`watch`), `followups`, `pauses`, `hands`,
`journal`, `taskstate`, `ledger`, `assignment` (`merits`, `assigning`), `resting`, `agents`, `resets`,
`summary`. A try of a task is a `work`; it goes through `attempt`, `review` (`electors`, `committee`,
`ballots`, `casting`, `votes`), where it is one of the `questions` (`plans`, `planned`) `asking`, and
`landing` or `endings`, with `tickets`, `shares`, `prompts` (`excerpt`) (`overrides`), `evidence`,
`resuming` (of a tool's session). Of several `candidates` for a task `choosing` takes one; such a vote's
record is one of `choices`. `attaching` lends a person's `terminal`. A login comes back if it is a
`credential`; `freshness` says when it ends. Cost goes through `meter` (`prices`) to `spending`; `purse`
holds it to `budgets`, by `estimates`, `allowances` and `reservations`; `dryrun` says it before. `remote`
(`proposals` for pull requests, `said`) is what the courier does at the project's remote.

Both: `home`, `settings`, `keyring`, `keys`, `project` (`projectkeys`), `projects`, `cooldowns`, `checkout`,
`records`, `canonical`; at the bottom `errors`, `text`, `moments`, `names`, `agentname`, `files`,
`jsonfile`, `jq`, `repo` (a person's Git), `plumbing` (Git for records) and `objects` (Git objects without
Git).
"""

__version__ = "0.1.0"
