"""How the server is set up: `serve` in retinue.yaml, over it the environment, over that the command line.

A key is `RETINUE_SERVE__PORT` in the environment, one below another key `RETINUE_SERVE__OIDC__ISSUER`;
lists are written with commas. `RETINUE_SERVE__PORT_FILE` names a file that holds the value.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator

from retinue.errors import Place, Problem, ProjectError
from retinue.project.declaration import Declaration
from retinue.project.diagnosis import suggestion

PREFIX = "RETINUE_SERVE__"


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        plain = bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        plain = False
    if not plain or parts.scheme not in ("http", "https") or parts.query or parts.username:
        raise ValueError("write where people reach it, such as https://retinue.example.com")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise ValueError(f"{text} is neither an address nor a network such as 10.0.0.0/8") from None


Network = Annotated[str, AfterValidator(_network)]


class Secret(Declaration):
    """Where a secret is: in a variable of the environment, or in a file. Never in the project itself."""

    env: str | None = Field(default=None, min_length=1, description="name of the variable")
    file: str | None = Field(
        default=None, min_length=1, description="path of the file, from the project's folder"
    )

    @model_validator(mode="before")
    @classmethod
    def _never_itself(cls, told: Any) -> Any:
        if isinstance(told, str):
            raise ValueError(  # noqa: TRY004 - pydantic tells it as a problem
                "a secret does not stand in a file of the project: {env: NAME} or {file: PATH}"
            )
        return told

    @model_validator(mode="after")
    def _in_one_place(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("write {env: NAME} or {file: PATH}")
        return self

    def value(self, root: Path, environ: Mapping[str, str]) -> str:
        """The secret itself, without the line's end of a file. Raises ProjectError where it is not there."""
        if self.env is not None:
            found = environ.get(self.env)
            if not found:
                raise _error(
                    f"the environment variable {self.env} is not set", "it holds a secret of `serve`"
                )
            return found
        return _in_file(root / str(self.file))


class Oidc(Declaration):
    """An OpenID provider at which people can sign in."""

    issuer: str = Field(description="its address, as it names itself")
    client_id: str = Field(description="what it calls this Retinue")
    client_secret: Secret | None = Field(default=None, description="none for a public client")
    name: str = Field(default="single sign-on", description="what stands on the button")
    create_as: Literal["admin", "ops", "leader", "csm", "reader"] | None = Field(
        default=None,
        description="role of whoever comes for the first time; without it an admin adds people first",
    )
    territories_claim: str | None = Field(
        default=None, description="claim that says which territories they see"
    )
    team_claim: str | None = Field(default=None, description="claim that says which team they are in")
    trust_email: bool = Field(
        default=False, description="take e-mails for verified though the provider does not say so"
    )
    scopes: tuple[str, ...] = Field(
        default=("openid", "email", "profile"), description="what it is asked for"
    )


class Serve(Declaration):
    """How `retinue serve` answers. Everything has a default that is safe on one machine."""

    host: str = Field(
        default="127.0.0.1", description="address to listen on; `0.0.0.0` for all of this machine's"
    )
    port: int = Field(default=8321, ge=0, le=65535, description="port to listen on; 0 for any that is free")
    address: Annotated[str, AfterValidator(_address)] | None = Field(
        default=None, description="how people reach it, such as `https://retinue.example.com`"
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(), description="addresses or networks whose `X-Forwarded-For` and `-Proto` are believed"
    )
    passwords: bool = Field(default=True, description="whether people can sign in with a password")
    oidc: Oidc | None = Field(default=None, description="where people can sign in instead")
    session_hours: float = Field(
        default=12.0, gt=0, le=720, description="hours unseen after which a session ends"
    )
    session_days: float = Field(default=7.0, gt=0, le=90, description="days after which every session ends")
    record_use: bool = Field(
        default=True, description="whether views and actions are kept for the trust page"
    )
    worker: bool = Field(
        default=True,
        description="whether runs by the clock, alerts, playbooks and messages are seen to beside the pages",
    )
    log_format: Literal["json", "text"] = Field(
        default="json", description="how a line of the log is written"
    )
    processes: int = Field(
        default=1,
        ge=1,
        le=32,
        description="processes that answer at the port; each keeps what it reads often in memory of its own",
    )
    threads: int = Field(default=6, ge=1, le=200, description="requests that each of them answers at once")
    metrics_from: tuple[Network, ...] = Field(
        default=(),
        description="addresses or networks that may read `/metrics` without a key, beside this machine",
    )
    max_run_age: int | None = Field(
        default=None,
        ge=1,
        description="hours after which the last run is too old for `/readyz`; without it, never",
    )
    disk_floor: int = Field(default=256, ge=0, description="megabytes that must be free for `/readyz`")


def serve_settings(
    declared: Serve, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None, root: Path = Path()
) -> Serve:
    """What holds: `flags` that are not None over the environment over what is declared.

    Raises ProjectError for a variable that means nothing, and for values that cannot be.
    """
    told = declared.model_dump(exclude_unset=True)
    for name, value in sorted(environ.items()):
        if name.startswith(PREFIX):
            _put(told, name, value, root)
    told |= {key: value for key, value in (flags or {}).items() if value is not None}
    try:
        return Serve.model_validate(told)
    except ValidationError as error:
        raise ProjectError([_problem(one) for one in error.errors(include_url=False)]) from None


def variables() -> Iterator[tuple[str, str]]:
    """Every variable of the environment, with the dotted key that it is."""
    for path in _keys(Serve):
        yield PREFIX + "__".join(part.upper() for part in path), ".".join(path)


def _keys(model: type[Declaration], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    hints = get_type_hints(model)
    for name in model.model_fields:
        below = next((part for part in (hints[name], *get_args(hints[name])) if part is Oidc), None)
        if below is not None:
            yield from _keys(below, (*above, name))
        else:
            yield (*above, name)


def _put(told: dict[str, Any], name: str, value: str, root: Path) -> None:
    """Set the key that the variable `name` is."""
    known = dict(variables())
    variable, from_file = name, False
    if name not in known and name.endswith("_FILE"):
        variable, from_file = name.removesuffix("_FILE"), True
    if variable not in known:
        raise _error(f"no setting is called {name}", suggestion(name, known))
    *above, last = known[variable].split(".")
    place = told
    for part in above:
        place[part] = dict(place.get(part) or {})
        place = place[part]
    if last == "client_secret":
        place[last] = {"file": value} if from_file else {"env": name}
        return
    text = _in_file(root / value) if from_file else value.strip()
    listed = last in ("trusted_proxies", "metrics_from", "scopes")
    if listed:
        place[last] = [part.strip() for part in text.split(",") if part.strip()]
    else:
        # Set but empty is not set, as in a shell: only what has a default of none can be emptied.
        place[last] = text or None


def _in_file(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _error(f"cannot read {path}: {reason}", "a setting of `serve` is to be read from it") from None


def _error(message: str, hint: str | None) -> ProjectError:
    return ProjectError([Problem(message, Place("serve"), hint)])


def _problem(detail: Any) -> Problem:
    path = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    return Problem(f"{path}: {message[:1].lower()}{message[1:]}", Place("serve"))
