"""Destinations in retinue.yaml: what is taken, what is refused, and that no secret stands in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue.errors import ProjectError
from retinue.project.load import load_settings

PROJECT = "project: acme\naccounts: {}\ndestinations:\n"
CANARY = "kanarienvogel"

GOOD = """\
  csm_mail:
    email:
      to: owner
      from: Retinue <retinue@example.com>
      smtp: {host: mail.example.com, user: u, password: {file: pw}}
  heads:
    email: {to: [ann@example.com, bob@example.com], from: r@example.com, smtp: {host: localhost, tls: none}}
    admin: true
  team_slack: {slack: {url: {env: SLACK_URL}}, per_minute: 30}
  teams: {teams: {url: {env: TEAMS_URL}}}
  crm: {webhook: {url: https://crm.example.com/hooks, secret: {env: CRM_SECRET}}}
  hub: {webhook: {url: {env: HUB}, secret: [{env: NEW}, {env: OLD}], allow_private: [10.1.2.0/24, 127.0.0.1]}}
  rest: {apprise: {url: {env: NTFY}}}
"""


def project(tmp_path: Path, destinations: str):
    (tmp_path / "retinue.yaml").write_text(PROJECT + destinations)
    return load_settings(tmp_path, {})


def test_every_channel_can_be_declared(tmp_path: Path):
    found = project(tmp_path, GOOD).settings.destinations
    assert [(name, one.kind) for name, one in found.items()] == [
        ("csm_mail", "email"),
        ("heads", "email"),
        ("team_slack", "slack"),
        ("teams", "teams"),
        ("crm", "webhook"),
        ("hub", "webhook"),
        ("rest", "apprise"),
    ]
    assert [name for name, one in found.items() if one.admin] == ["heads"]
    assert [str(secret.env) for secret in found["hub"].channel.secrets] == ["NEW", "OLD"]


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        (f"s: {{slack: {{url: https://hooks.slack.com/{CANARY}}}}}", "a secret does not stand in"),
        (f"s: {{slack: {{url: {{env: 'https://hooks.slack.com/{CANARY}'}}}}}}", "not the name of a variable"),
        (f"s: {{webhook: {{url: https://a.example, secret: {CANARY}}}}}", "a secret does not stand in"),
        (f"s: {{webhook: {{url: https://a.example, secret: [{CANARY}]}}}}", "a secret does not stand in"),
        (
            f"s: {{webhook: {{url: 'https://u:{CANARY}@a.example', secret: {{env: A}}}}}}",
            "no user or password",
        ),
        (f"s: {{webhook: {{url: 'ftp://a.example/{CANARY}', secret: {{env: A}}}}}}", "not a web address"),
        (f"s: {{apprise: {{url: ntfy://{CANARY}@host}}}}", "a secret does not stand in"),
        (
            f"s: {{email: {{to: owner, from: a@b.co, smtp: {{host: h, user: u, password: {CANARY}}}}}}}",
            "a secret does not stand in",
        ),
        (
            "s: {email: {to: owner, from: a@b.co, smtp: {host: h, user: u, password: {env: A}, tls: none}}}",
            "in clear",
        ),
        ("s: {email: {to: owner, from: a@b.co, smtp: {host: h, user: u}}}", "go together"),
        ("s: {email: {to: everybody, from: a@b.co, smtp: {host: h}}}", "write owner, or a list"),
        ('s: {email: {to: ["a@b.co\\r\\nBcc: c@d.co"], from: a@b.co, smtp: {host: h}}}', "not an e-mail"),
        ('s: {email: {to: owner, from: "A\\r\\nBcc: c@d.co <a@b.co>", smtp: {host: h}}}', "not an e-mail"),
        ("s: {slack: {url: {env: A, file: b}}}", "write {env: NAME} or {file: PATH}"),
        ("s: {slack: {url: {env: A}, allow_private: [everything]}}", "neither an address nor a network"),
        ("s: {slack: {url: {env: A}}, teams: {url: {env: B}}}", "one channel"),
        ("s: {}", "one channel"),
        ("'a b': {slack: {url: {env: A}}}", "the name of a destination"),
        ("s: {slak: {url: {env: A}}}", 'unknown key "slak"'),
    ],
)
def test_what_cannot_be_is_refused_with_its_line_and_without_the_secret(
    tmp_path: Path, destination: str, message: str
):
    with pytest.raises(ProjectError) as caught:
        project(tmp_path, f"  {destination}\n")
    told = "\n".join(str(problem) for problem in caught.value.problems)
    assert message in told
    assert all(problem.place.line in (3, 4) for problem in caught.value.problems)
    assert CANARY not in told
    assert CANARY not in repr(caught.value)


def test_destinations_change_no_fingerprint_and_name_secrets_only(tmp_path: Path):
    found = project(tmp_path, GOOD)
    assert "SLACK_URL" in repr(found.settings)
    assert '"file":"pw"' in found.settings.model_dump_json()
