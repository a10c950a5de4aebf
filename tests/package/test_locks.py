"""The locks name exact versions, the hashes of their files, and no addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def locked(lock: str) -> list[tuple[Requirement, list[str]]]:
    """Each requirement of a lock with its hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line.split(" --hash=") for line in text.splitlines()]
    return [(Requirement(told.strip()), [h.strip() for h in hashes]) for told, *hashes in entries]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_one_version_and_hashes(lock):
    for requirement, hashes in locked(lock):
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", told) for told in hashes), requirement


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address_and_no_option(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert not re.findall(r"://|^-|@|^#", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_every_declared_dependency_is_locked_within_its_bounds(lock, python):
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    versions = {
        canonicalize_name(r.name): str(r.specifier).removeprefix("==")
        for r, _ in locked(lock)
        if r.marker is None or Marker(str(r.marker)).evaluate(environment)
    }
    extras = PROJECT["optional-dependencies"]
    declared = PROJECT["dependencies"] + (extras["dev"] if "dev" in lock else [])
    for told in map(Requirement, declared):
        if told.name != PROJECT["name"]:
            assert told.specifier.contains(versions[canonicalize_name(told.name)]), told


def test_the_locks_agree():
    dev = {(r.name, str(r.specifier), str(r.marker)): hashes for r, hashes in locked("requirements-dev.lock")}
    for requirement, hashes in locked("requirements.lock"):
        key = (requirement.name, str(requirement.specifier), str(requirement.marker))
        assert dev[key] == hashes
