"""Work that is killed at random, again and again, ends with the bytes of work that nobody disturbed.

    python bench/soak.py [run|toy [kills [seed [key=value …]]]]

`run` is `cutis run`; `toy` is made-up work by the same executors, records and files, without the science, a tenth as
long. Each kill falls on a random moment of the command's life, start and end included, and on a random victim: the
command itself (SIGKILL, or the SIGTERM and SIGINT after which it says how to go on) or one of its workers. Between
lives a finished file is damaged now and then. Work that gets to its end is compared and begun anew. After so many
kills comes one that may finish. `run 200 1 cluster=ray` kills workers of Ray.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KILLS, SEED = 200, 1
EVERY = 20  # lives after which it is said how far it is
STUDY = ROOT / "examples" / "secukinumab_vs_placebo.yaml"
WORDS = ("--study", str(STUDY), "population.size=8292", "cluster.workers=2")  # nine shards, the last one short
STOPPED = 3  # exit code
RUN = """
import cutis.cluster.execute as execute
from cutis.trials.command import main
execute.FEW = 1  # few shards are worked on by threads; here they shall be by processes
main()
"""
TOY = """
import hashlib, sys, time
from pathlib import Path
from cutis.cluster import execute, ledger, stop, store
from cutis.cluster.errors import ClusterError
from cutis.cluster.settings import Cluster
folder = Path(next(word for word in sys.argv if word.startswith("out="))[4:])
folder.mkdir(exist_ok=True)
execute.FEW = 1
work = ("(lambda n: __import__('time').sleep(0.05) or ([__import__('cutis.cluster.store').cluster.store.write("
        "__import__('pathlib').Path(%r, k, 'part-%%05d.parquet' %% n), k.encode() * 9999 + bytes([n]) * 9999)"
        " for k in ('twins', 'events')], n))(%d)")
try:
    with store.Lock(folder), stop.like_ctrl_c():
        done = ledger.finished(folder)
        todo = [work % (str(folder), n) for n in range(40) if n not in done]
        for digests, n in execute.on_local(eval, todo, Cluster(kind="local", workers=2)):
            ledger.record(folder, n, {f"{k}/part-{n:05d}.parquet": d for k, d in zip(("twins", "events"), digests)})
        everything = sorted(folder.glob("*/part-*.parquet"))
        store.write(folder / "results", "".join(store.digest(file) for file in everything).encode())
        store.write(folder / "manifest.json", b"{}")
except KeyboardInterrupt:
    print("stopped. Go on with --resume", file=sys.stderr)
    sys.exit(3)
except ClusterError as error:
    print(error, file=sys.stderr)
    sys.exit(3)
"""
COMMANDS = {"run": RUN, "toy": TOY}
CHANGES = ("log.jsonl", "manifest.json", "manifest.sha256", ".lock")  # from run to run: they hold times
VICTIMS = {"driver": 4, "worker": 4, "SIGTERM": 1, "SIGINT": 1}  # with their weights; the last two ask the driver
DAMAGE = 0.3  # chance that a finished file is damaged before a life
PATIENCE = 600  # seconds in which a life that is not disturbed must end


def main() -> None:
    what, kills, seed = (*sys.argv[1:4], *("run", KILLS, SEED)[len(sys.argv[1:4]) :])
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        line = [sys.executable, "-c", COMMANDS[what], "run", *WORDS, *sys.argv[4:], "--resume"]
        soak(int(kills), random.Random(int(seed)), Path(scratch), line)


def soak(kills: int, chance: random.Random, scratch: Path, line: list[str]) -> None:
    """Kill so many times; ends the program where bytes or messages are not what they should be."""
    begun = time.monotonic()
    end(start(scratch / "reference", line))
    usual = time.monotonic() - begun
    expected = contents(scratch / "reference")
    print(f"undisturbed: {usual:.0f} s, {len(expected)} files", flush=True)
    folder, tally = scratch / "run", Counter()
    while sum(tally[victim] for victim in VICTIMS) < kills:
        tally["damaged"] += damage(folder, chance)
        tally["lives"] += 1
        if live(folder, line, chance, usual, tally):
            compare(folder, expected)
            tally["whole"] += 1
            shutil.rmtree(folder)
        if tally["lives"] % EVERY == 0:
            print(f"so far: {_told(tally)}", flush=True)
    end(start(folder, line))
    compare(folder, expected)
    print(f"same bytes after {kills} kills ({_told(tally)}); {time.monotonic() - begun:.0f} s", flush=True)


def _told(tally: Counter) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(tally.items()))


def live(folder: Path, line: list[str], chance: random.Random, usual: float, tally: Counter) -> bool:
    """One life of the command, to its end or until it is killed; whether it got to the end of the run."""
    life = start(folder, line)
    while True:
        try:
            life.wait(chance.uniform(0, usual))
        except subprocess.TimeoutExpired:
            pass
        else:
            return end(life)
        victim = chance.choices(list(VICTIMS), list(VICTIMS.values()))[0]
        crew = workers(life.pid)
        if victim == "worker" and crew:
            os.kill(chance.choice(crew), signal.SIGKILL)
            tally["worker"] += 1
            continue
        tally["driver" if victim == "worker" else victim] += 1
        asked = signal.Signals[victim] if victim.startswith("SIG") else signal.SIGKILL
        life.send_signal(asked)
        said = life.communicate(timeout=PATIENCE)[1]
        if life.returncode == STOPPED and "go on with --resume" not in said.lower():
            sys.exit(f"stopped by {asked.name} without a word of how to go on:\n{said}")
        return False


def start(folder: Path, line: list[str]) -> subprocess.Popen:
    """The command, begun or gone on with."""
    return subprocess.Popen([*line, f"out={folder}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def end(life: subprocess.Popen) -> bool:
    """Wait for a life that nobody disturbs any more; whether it got to the end, not one shard's workers all killed."""
    said = life.communicate(timeout=PATIENCE)[1]
    if life.returncode == STOPPED and "a worker process was lost each time" in said:
        return False
    if life.returncode:
        sys.exit(f"ended with {life.returncode}, undisturbed:\n{said}")
    return True


def workers(pid: int) -> list[int]:
    """The command's worker processes, of its own or of Ray."""
    found = []
    for child in children(pid):
        try:
            name = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        if b"spawn_main" in name or name.startswith(b"ray::"):
            found.append(child)
        found += workers(child)
    return found


def children(pid: int) -> list[int]:
    """Processes that a process has begun."""
    try:
        lists = [tasks.read_text().split() for tasks in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(number) for numbers in lists for number in numbers]


def damage(folder: Path, chance: random.Random) -> int:
    """Now and then cut a finished file short, or change one of its bytes; how many."""
    files = sorted(folder.glob("*/part-*.parquet"))
    if not files or chance.random() > DAMAGE or (folder / "manifest.json").exists():
        return 0
    file = chance.choice(files)
    data = bytearray(file.read_bytes())
    place = chance.randrange(len(data))
    if chance.random() < 0.5:
        del data[place:]
    else:
        data[place] ^= 1
    file.write_bytes(data)
    return 1


def contents(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file that is the same in every run of a study."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in CHANGES)
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def compare(folder: Path, expected: dict[str, str]) -> None:
    """End the program if a file has other bytes, is missing or does not belong."""
    found = contents(folder)
    names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    if names:
        sys.exit(f"not the same bytes: {', '.join(names)}")


if __name__ == "__main__":
    main()
