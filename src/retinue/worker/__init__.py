"""The worker: runs by the clock, alerts after every run, playbooks, messages, housekeeping."""

from retinue.worker.working import Ticked, Worker, work

__all__ = ["Ticked", "Worker", "work"]
