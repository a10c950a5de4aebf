"""What delivery needs of the world outside: names, certificates, and where secrets stand."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from retinue.deliver.failures import NotDelivered, not_ready
from retinue.errors import ProjectError
from retinue.project.serving import Secret

#: From a name and a port to addresses. Raises OSError (`socket.gaierror`) where there are none.
Resolver = Callable[[str, int], Sequence[str]]
#: Tries after which a name that does not exist is taken for one that never will.
_NO_SUCH_NAME = 6


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()


@dataclass(frozen=True)
class Outside:
    """The project's folder, the environment, and how names are resolved and certificates checked.

    `timeout` is in seconds: that of one message over HTTP, and of one answer of a mail server.
    """

    root: Path = Path()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    resolve: Resolver = _resolve
    tls: Callable[[], ssl.SSLContext] = _certificates
    timeout: float = 10.0

    def secret(self, named: Secret) -> str:
        """The secret, read now: one that is replaced counts from the next message on."""
        try:
            found = named.value(self.root, self.environ).strip()
        except ProjectError:
            raise not_ready(f"{_place(named)} is not there, or cannot be read") from None
        if not found:
            raise not_ready(f"{_place(named)} is empty")
        return found

    def addresses(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a name."""
        try:
            return self.resolve(host, port)
        except UnicodeError:
            raise NotDelivered("its name cannot be one", final_after=1) from None
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
                raise NotDelivered(
                    "its name is not known to the name server", final_after=_NO_SUCH_NAME, rests=True
                ) from None
            raise NotDelivered("the name server does not answer", rests=True) from None
        except OSError:
            raise NotDelivered("the name server does not answer", rests=True) from None


def _place(named: Secret) -> str:
    return f"the environment variable {named.env}" if named.env else f"the file {named.file}"
