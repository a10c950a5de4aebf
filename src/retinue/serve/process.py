"""Starting the server and stopping it."""

from __future__ import annotations

from datetime import UTC, datetime

import uvicorn

from retinue.web.app import application
from retinue.web.site import Site


def serve(site: Site, *, host: str, port: int) -> None:
    """Answer until SIGTERM or Ctrl-C; what is being answered then is finished first."""
    uvicorn.run(application(site), host=host, port=port, log_level="warning", server_header=False)


def clock() -> datetime:
    """The time; the one place of the server that asks for it."""
    return datetime.now(UTC)
