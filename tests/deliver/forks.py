"""Processes that are killed: a program imports everything once, and forks them as it is told.

In it, `serve_forks(work)`: each line that it reads is the name of a process to start (`-` for none), and
perhaps the number and signal of one to end first; it prints the number of the new one. Nobody else's
number is ever signalled: a process that ended is only forgotten there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field


def serve_forks(work: Callable[[str], None]) -> None:
    """Until stdin ends; each process does `work` with its name."""
    print("ready", flush=True)
    for line in sys.stdin:
        name, *other = line.split()
        if other:
            number, how = map(int, other)
            os.kill(number, how)
            os.waitpid(number, 0)
        child = os.fork() if name != "-" else -1
        if child == 0:
            status = 1
            try:
                work(name)
                status = 0
            finally:
                sys.excepthook(*sys.exc_info()) if status else None
                os._exit(status)
        print(child, flush=True)


@dataclass
class Forks:
    """Processes by their place; whoever is killed is followed by another."""

    program: subprocess.Popen
    running: dict[int, int] = field(default_factory=dict)
    started: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, place: int) -> None:
        self.started += 1
        self.running[place] = self.ask(f"w{self.started}")

    def kill(self, place: int) -> None:
        with self.lock:
            self.started += 1
            self.running[place] = self.ask(f"w{self.started} {self.running[place]} {signal.SIGKILL:d}")

    def end(self, place: int, how: signal.Signals) -> None:
        """End one and wait for that; nobody follows it."""
        with self.lock:
            self.ask(f"- {self.running.pop(place)} {how:d}")

    def ask(self, line: str) -> int:
        self.program.stdin.write(line + "\n")
        self.program.stdin.flush()
        return int(self.program.stdout.readline())


@contextlib.contextmanager
def forks(module: str, *arguments: str, count: int) -> Iterator[Forks]:
    """So many processes of the program `python -m module`, with these arguments."""
    command: Sequence[str] = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout.readline() == "ready\n"
        found = Forks(program)
        for place in range(count):
            found.start(place)
        try:
            yield found
        finally:
            for place in list(found.running):
                found.end(place, signal.SIGKILL)
            program.stdin.close()
            program.wait(30)
