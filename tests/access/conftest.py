from __future__ import annotations

from tests.access.elsewhere import issuer, twisted  # noqa: F401
from tests.store.conftest import home, store, store_url  # noqa: F401
