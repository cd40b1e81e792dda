"""A Slurm cluster of one node on this machine, with keys, sockets and ports of its own.

It requeues within seconds, its arrays hold four elements, and jobs of its partition `high` preempt all others.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DAEMONS = "munged", "slurmctld", "slurmd"
CPUS = 8  # more than there may be: what waits for signals takes none
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
AuthType=auth/munge
CredType=cred/munge
# A requeued job waits as long as a credential lives, two minutes by default.
AuthInfo=socket={root}/munge.socket,cred_expire=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
KillWait=5
SchedulerParameters=sched_interval=2
MaxArraySize=4
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 PriorityTier=1 PreemptMode=REQUEUE GraceTime=20
PartitionName=high Nodes=ALL MaxTime=60 PriorityTier=2
"""


def missing() -> str:
    """Why no cluster can be started here; empty if one can."""
    absent = [name for name in (*DAEMONS, "mungekey", "sbatch") if not find(name)]
    if absent:
        return f"not installed: {', '.join(absent)} (packages slurm-wlm and munge)"
    return "" if os.geteuid() == 0 else "Slurm's daemons are started by root alone"


def find(name: str) -> str | None:
    """The path of a program, also of those for administrators."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@contextlib.contextmanager
def cluster() -> Iterator[None]:
    """Start the daemons, for the commands of this process and its children."""
    root = Path(tempfile.mkdtemp(prefix="slurm-"))  # short: the path of a socket has 108 characters
    for name in ("state", "spool"):
        (root / name).mkdir()
    configuration = root / "slurm.conf"
    host = socket.gethostname().partition(".")[0]
    controller, node = _free_ports()
    configuration.write_text(
        CONFIGURATION.format(host=host, controller=controller, node=node, root=root, cpus=CPUS)
    )
    subprocess.run([str(find("mungekey")), "--create", f"--keyfile={root}/munge.key"], check=True)
    munged = [
        "--foreground", "--force", f"--socket={root}/munge.socket", f"--key-file={root}/munge.key",
        f"--log-file={root}/munged.log", f"--pid-file={root}/munged.pid", f"--seed-file={root}/munged.seed",
    ]  # fmt: skip
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(configuration)
    started = []
    try:
        started.append(_daemon(root, "munged", *munged))
        _wait("munged", lambda: (root / "munge.socket").exists())
        started.append(_daemon(root, "slurmctld", "-D", "-f", str(configuration)))
        _wait("slurmctld", lambda: "UP" in _output("scontrol", "ping"))
        started.append(_daemon(root, "slurmd", "-D", "-f", str(configuration)))
        _wait("slurmd", lambda: "idle" in _output("sinfo", "--noheader", "--format=%t"))
        yield
    finally:
        if len(started) == len(DAEMONS):
            _output("scancel", "--full", "--me")
            with contextlib.suppress(TimeoutError):
                _wait("the end of all jobs", lambda: not _output("squeue", "--noheader"), 60)
        for process in reversed(started):
            process.terminate()
            process.wait(30)
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before
        shutil.rmtree(root, ignore_errors=True)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        for of in (one, other):
            of.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _daemon(root: Path, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
    with (root / f"{name}.out").open("wb") as out:
        return subprocess.Popen([str(find(name)), *arguments], stdout=out, stderr=out)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _wait(what: str, ready, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)
