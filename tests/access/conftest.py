from __future__ import annotations

from tests.store.conftest import home, store, store_url  # noqa: F401
