"""A Slurm cluster of Debian's own packages on this machine: a controller and two nodes.

Each node is a slurmd with an address of its own, in a network namespace on a bridge of ours, so that its link
can be cut. Folder, keys, sockets and names are the cluster's own; `end` takes all of it away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from processes import wait_for

NODES = ("n1", "n2")
PROGRAMS = ("slurmctld", "slurmd", "srun", "munged", "ip", "nsenter", "unshare")

# What docs/cluster.md shows, with addresses and folders of this test, and with short times.
CONF = """\
ClusterName=test
SlurmctldHost={host}({net}.254)
SlurmUser=root
SlurmctldPort={port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
SlurmdTimeout=6
MessageTimeout=3
TCPTimeout=1
KillWait=10
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
MaxJobCount=2000
NodeName=n1 NodeAddr={net}.1 CPUs={cpus} State=UNKNOWN
NodeName=n2 NodeAddr={net}.2 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """Why there can be no cluster here, '' where there can."""
    if os.geteuid() != 0:
        return "starting slurmd and network namespaces needs root"
    search = "/usr/sbin:/sbin:" + os.environ.get("PATH", "")
    lacking = [name for name in PROGRAMS if shutil.which(name, path=search) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    space = f"ork{os.getpid()}"
    into = ("nsenter", f"--net=/run/netns/{space}", "unshare", "--uts")
    tries = (
        ("ip", "netns", "add", space),
        (*into, "ip", "link", "add", "name", "probe", "type", "bridge"),
    )
    try:
        for words in tries:
            tried = subprocess.run(words, capture_output=True, text=True, check=False)
            if tried.returncode:
                return f"no network namespaces: {tried.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "delete", space], capture_output=True, check=False)
    return ""


@dataclass
class Cluster:
    """`folder` holds all of it; `environment` is what a client needs."""

    cpus: int = 16
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="slurm-")))
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mark = os.getpid()
        self.bridge = f"orkb{mark}"
        self.net = f"10.{100 + mark % 100}.{mark // 100 % 250}"
        self.spaces = {node: f"ork{mark}{node}" for node in NODES}

    @property
    def conf(self) -> Path:
        """slurm.conf"""
        return self.folder / "slurm.conf"

    @property
    def environment(self) -> dict[str, str]:
        """What srun and its like need to find this cluster."""
        return {"SLURM_CONF": str(self.conf)}

    # --- life ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """All of it, until both nodes are idle."""
        self.folder.chmod(0o755)
        _sweep()
        (self.folder / "state").mkdir()
        self._munge()
        self._network()
        text = CONF.format(
            host=socket.gethostname(),
            net=self.net,
            folder=self.folder,
            cpus=self.cpus,
            port=_free_port(),
            node_port=_free_port(),
        )
        self.conf.write_text(text)
        self._daemon("slurmctld", "slurmctld", "-D", "-f", str(self.conf))
        for node in NODES:
            self.start_node(node)
        wait_for(lambda: all(self.state(node) == "idle" for node in NODES), "idle nodes")

    def start_node(self, node: str) -> None:
        """The slurmd of a node."""
        script = 'hostname "$1"; exec slurmd -D -N "$1" -f "$2"'
        space = f"--net=/run/netns/{self.spaces[node]}"
        self._daemon(
            node, "nsenter", space, "unshare", "--uts", "bash", "-c", script, "slurmd", node, str(self.conf)
        )

    def end(self) -> None:
        """Jobs, daemons, network and folder go."""
        self.call("scancel", "--quiet", "--user=root", check=False)
        for node in NODES:
            self.mend(node)
        for process in reversed(list(self.daemons.values())):
            process.terminate()
        for process in self.daemons.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        _remove(self.bridge, *self.spaces.values())
        shutil.rmtree(self.folder, ignore_errors=True)

    def left(self) -> list[int]:
        """Processes that live in the network of a node."""
        found: list[int] = []
        for space in self.spaces.values():
            listed = _run("ip", "netns", "pids", space, check=False)
            found += [int(pid) for pid in listed.stdout.split()]
        return found

    def _munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._daemon(
            "munged",
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--seed-file={self.folder}/munge.seed",
        )
        wait_for(lambda: (self.folder / "munge.socket").exists(), "munged")

    def _network(self) -> None:
        _run("ip", "link", "add", self.bridge, "type", "bridge")
        _run("ip", "addr", "add", f"{self.net}.254/24", "dev", self.bridge)
        _run("ip", "link", "set", self.bridge, "up")
        for number, (node, space) in enumerate(self.spaces.items(), 1):
            link = self._link(node)
            _run("ip", "netns", "add", space)
            _run("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space)
            _run("ip", "link", "set", link, "master", self.bridge, "up")
            _run("ip", "-n", space, "addr", "add", f"{self.net}.{number}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                _run("ip", "-n", space, "link", "set", device, "up")

    def _link(self, node: str) -> str:
        return f"{self.bridge}{node}"

    def _daemon(self, name: str, *command: str) -> None:
        environment = os.environ | self.environment | {"PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}"}
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
            )

    # --- what a person does to it --------------------------------------------------------------------------

    def call(self, *command: str, check: bool = True) -> str:
        """One of Slurm's own commands; its output."""
        return _run(*command, check=check, env=os.environ | self.environment).stdout

    def state(self, node: str) -> str:
        """idle, mixed, allocated, drained, draining, down ...; an asterisk: it does not answer."""
        return self.call("sinfo", "--noheader", f"--nodes={node}", "--format=%T", check=False).strip()

    def jobs(self, *options: str) -> list[tuple[str, str, str]]:
        """(id, state, node) of all that are queued or run."""
        listed = self.call("squeue", "--noheader", "--format=%i %T %N", *options)
        return [(*line.split(), "")[:3] for line in listed.splitlines()]  # type: ignore[misc]

    def cut(self, node: str) -> None:
        """The node's link is down: it lives, and nobody hears of it."""
        _run("ip", "link", "set", self._link(node), "down")

    def kill(self, node: str) -> None:
        """Its slurmd is killed, and not its jobs."""
        slurmd = self.daemons.pop(node)
        slurmd.kill()
        slurmd.wait()

    def mend(self, node: str) -> None:
        """Link up, slurmd there, in service again."""
        if self._link(node) in os.listdir("/sys/class/net"):
            _run("ip", "link", "set", self._link(node), "up")
        if "slurmctld" not in self.daemons:
            return
        if node not in self.daemons:
            self.start_node(node)

    def in_service(self) -> None:
        """Every node is mended and takes jobs, and there is none."""
        for node in NODES:
            self.mend(node)
        self.call("scancel", "--quiet", "--user=root", check=False)

        def idle() -> bool:
            states = {node: self.state(node) for node in NODES}
            for node, state in states.items():
                if state.rstrip("*") in ("down", "drained", "draining"):
                    self.call("scontrol", "update", f"nodename={node}", "state=resume", check=False)
            return set(states.values()) == {"idle"}

        wait_for(idle, "nodes in service")


def _sweep() -> None:
    """Networks of clusters whose test was killed."""
    for bridge in os.listdir("/sys/class/net"):
        mark = bridge.removeprefix("orkb")
        if bridge.startswith("orkb") and mark.isdigit() and not Path(f"/proc/{mark}").exists():
            _remove(bridge, *(f"ork{mark}{node}" for node in NODES))


def _remove(bridge: str, *spaces: str) -> None:
    for space in spaces:
        for pid in _run("ip", "netns", "pids", space, check=False).stdout.split():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(int(pid), signal.SIGKILL)
        _run("ip", "netns", "delete", space, check=False)
    _run("ip", "link", "delete", bridge, check=False)


def _run(
    *command: str, check: bool = True, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr}"
    return done


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("", 0))
        return int(one.getsockname()[1])
