"""The worker: runs by the clock, alerts after every run, playbooks, messages, housekeeping."""
