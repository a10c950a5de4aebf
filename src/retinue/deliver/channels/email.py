"""E-mail by SMTP: text and HTML in one, private by TLS, marked as sent by a program (RFC 3834).

The Message-ID is made of the key of the message, so that mail programs show what comes twice once.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from retinue.deliver.failures import NotDelivered, refused
from retinue.deliver.message import Message, one_line
from retinue.deliver.outside import Outside
from retinue.deliver.text import as_html, as_text
from retinue.project.destinations import ADDRESS, Email, Smtp

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_SUBJECT = 200


def send(channel: Email, message: Message, outside: Outside, _now: datetime) -> str | None:
    to = _receivers(channel, message)
    mail = composed(channel, message, to)
    sender = parseaddr(channel.from_)[1]
    with _connected(channel.smtp, sender, outside) as server:
        try:
            missed = server.send_message(mail, from_addr=sender, to_addrs=to)
        except smtplib.SMTPRecipientsRefused as error:
            raise _none_took_it(error) from None
        except smtplib.SMTPSenderRefused as error:
            raise _said(error.smtp_code, "the sender") from None
        except smtplib.SMTPResponseException as error:
            raise _said(error.smtp_code, "the message", counts=False) from None
    return f"the mail server refused {', '.join(sorted(missed))}" if missed else None


def composed(channel: Email, message: Message, to: list[str]) -> EmailMessage:
    """The mail. No line break of what others wrote gets into a header."""
    name, sender = parseaddr(channel.from_)
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = one_line(message.subject, _SUBJECT)
    mail["From"] = Address(display_name=name, addr_spec=sender)
    mail["To"] = [Address(addr_spec=address) for address in to]
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(as_text(message))
    mail.add_alternative(as_html(message), subtype="html")
    return mail


def _receivers(channel: Email, message: Message) -> list[str]:
    if channel.to != "owner":
        return list(channel.to)
    if not message.address:
        whom = one_line(message.recipient or "nobody", 100)
        raise refused(f"it is for {whom}, and no e-mail address of theirs is known", counts=False)
    if not ADDRESS.fullmatch(message.address):
        raise refused("the address of its recipient is no e-mail address", counts=False)
    return [message.address]


@contextmanager
def _connected(smtp: Smtp, sender: str, outside: Outside) -> Iterator[smtplib.SMTP]:
    """A session with the mail server. All that goes wrong with it is NotDelivered, and names no secret."""
    port = smtp.port or _PORTS[smtp.tls]
    name = socket.gethostname()
    if "." not in name:  # mail servers want a whole name
        name = sender.rpartition("@")[2]
    password = outside.secret(smtp.password) if smtp.password else None
    server: smtplib.SMTP | None = None
    try:
        if smtp.tls == "tls":
            server = smtplib.SMTP_SSL(smtp.host, port, name, timeout=outside.timeout, context=outside.tls())
        else:
            server = smtplib.SMTP(smtp.host, port, name, timeout=outside.timeout)
        if smtp.tls == "starttls":
            server.starttls(context=outside.tls())
        if smtp.user is not None and password is not None:
            server.login(smtp.user, password)
        yield server
    except smtplib.SMTPAuthenticationError as error:
        raise _said(error.smtp_code, "the user or password") from None
    except smtplib.SMTPNotSupportedError:
        raise refused(
            "the mail server does not offer what `smtp` asks of it (STARTTLS or signing in)"
        ) from None
    except smtplib.SMTPResponseException as error:
        raise _said(error.smtp_code, "the connection") from None
    except ssl.SSLCertVerificationError:
        raise refused("the certificate of the mail server is not valid") from None
    except ssl.SSLError:
        raise NotDelivered("no private connection (TLS) with the mail server", rests=True) from None
    except (smtplib.SMTPException, OSError):
        raise NotDelivered("the mail server cannot be reached, or ended the connection", rests=True) from None
    finally:
        if server is not None:
            _leave(server)


def _leave(server: smtplib.SMTP) -> None:
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _none_took_it(error: smtplib.SMTPRecipientsRefused) -> NotDelivered:
    codes = [code for code, _ in error.recipients.values()]
    # One that may take it later (greylisting) is reason enough to try again.
    later = [code for code in codes if 400 <= code < 500]
    return _said((later or codes)[0], "the recipient", counts=False)


def _said(code: int, what: str, *, counts: bool = True) -> NotDelivered:
    told = f"the mail server refused {what} ({code})"
    if 500 <= code < 600:
        return refused(told, counts=counts)
    return NotDelivered(told, rests=code == 421, counts=counts)
