from __future__ import annotations

from tests.web.conftest import _ordinary, hostile_house, house, own, unscored  # noqa: F401
