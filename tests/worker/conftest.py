from __future__ import annotations

# The company of eight accounts, with rules and playbooks; an empty store of each kind.
from tests.alerts.conftest import _evaluated, _looked_at, acme, evaluated  # noqa: F401
from tests.deliver.conftest import store_url  # noqa: F401
