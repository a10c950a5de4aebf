"""The services that Apprise knows, by their URLs. It is an extra: `pip install 'retinue[apprise]'`.

Apprise opens its connections itself, so what is said of addresses, redirects and answers elsewhere does
not hold here: it goes where its URL says.
"""

from __future__ import annotations

import logging
from datetime import datetime

from retinue.deliver.failures import NotDelivered, not_ready
from retinue.deliver.message import Message, one_line
from retinue.deliver.outside import Outside
from retinue.deliver.text import as_text
from retinue.project.destinations import Apprise

_TITLE = 200


def send(channel: Apprise, message: Message, outside: Outside, _now: datetime) -> None:
    try:
        import apprise
    except ImportError:
        raise not_ready("Apprise is not installed: pip install 'retinue[apprise]'") from None
    # They write URLs to the log, and with them the secret.
    for name in ("apprise", "urllib3.connectionpool", "requests"):
        logging.getLogger(name).disabled = True
    service = apprise.Apprise(asset=apprise.AppriseAsset(async_mode=False))
    if not service.add(outside.secret(channel.url)):
        raise not_ready("its address is none that Apprise knows")
    taken = service.notify(
        title=one_line(message.subject, _TITLE),
        body=as_text(message),
        body_format=apprise.NotifyFormat.TEXT,
        interpret_escapes=False,
    )
    if not taken:
        raise NotDelivered("Apprise could not deliver it")
