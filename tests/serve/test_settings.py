"""How the server is set up: the project, over it the environment, over that the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from retinue.errors import ProjectError
from retinue.project.load import load_settings
from retinue.project.serving import Secret, Serve, serve_settings, variables

PROVIDER = {
    "RETINUE_SERVE__OIDC__ISSUER": "https://id.example.com",
    "RETINUE_SERVE__OIDC__CLIENT_ID": "retinue",
}


def test_flags_are_over_the_environment_and_that_is_over_the_project():
    declared = Serve(port=1001, host="10.0.0.1", threads=3)
    told = serve_settings(declared, {"RETINUE_SERVE__PORT": "1002", "RETINUE_SERVE__THREADS": "5"}, {})
    assert (told.host, told.port, told.threads) == ("10.0.0.1", 1002, 5)
    assert serve_settings(declared, {"RETINUE_SERVE__PORT": "1002"}, {"port": 1003}).port == 1003
    assert serve_settings(declared, {}, {"port": None}) == declared


def test_lists_flags_and_nested_keys_are_read_from_the_environment():
    told = serve_settings(
        Serve(),
        {
            "RETINUE_SERVE__TRUSTED_PROXIES": "10.0.0.1, 10.1.0.0/16",
            "RETINUE_SERVE__RECORD_USE": "false",
            "RETINUE_SERVE__MAX_RUN_AGE": "",
            **PROVIDER,
        },
    )
    assert told.trusted_proxies == ("10.0.0.1/32", "10.1.0.0/16")
    assert told.record_use is False
    assert told.max_run_age is None
    assert told.oidc is not None and told.oidc.client_id == "retinue"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RETINUE_SERVE__PROT", "1", 'did you mean "RETINUE_SERVE__PORT"?'),
        ("RETINUE_SERVE__PORT", "many", "port"),
        ("RETINUE_SERVE__PORT", "65536", "65535"),
        ("RETINUE_SERVE__ADDRESS", "retinue.example.com", "https://retinue.example.com"),
        ("RETINUE_SERVE__ADDRESS", "https://example.com/retinue", "https://retinue.example.com"),
        ("RETINUE_SERVE__ADDRESS", "https://ann:pw@example.com", "https://retinue.example.com"),
        ("RETINUE_SERVE__TRUSTED_PROXIES", "proxy", "10.0.0.0/8"),
        ("RETINUE_SERVE__OIDC__ISSUER", "https://id.example.com", "client_id"),
        ("RETINUE_SERVE__PORT_FILE", "/nowhere/port", "/nowhere/port"),
    ],
)
def test_a_variable_that_cannot_be_is_an_error_that_says_what_can(name, value, says):
    with pytest.raises(ProjectError) as error:
        serve_settings(Serve(), {name: value})
    assert says in str(error.value)


def test_a_value_can_stand_in_a_file(tmp_path: Path):
    (tmp_path / "port").write_text("4000\n")
    assert serve_settings(Serve(), {"RETINUE_SERVE__PORT_FILE": str(tmp_path / "port")}).port == 4000


def test_a_secret_is_read_from_its_variable_or_file_when_it_is_needed(tmp_path: Path):
    (tmp_path / "secret").write_text("s3cret\n")
    assert Secret(file="secret").value(tmp_path, {}) == "s3cret"
    environ = {**PROVIDER, "RETINUE_SERVE__OIDC__CLIENT_SECRET": "s3cret"}
    told = serve_settings(Serve(), environ)
    assert "s3cret" not in repr(told)
    assert told.oidc is not None and told.oidc.client_secret is not None
    assert told.oidc.client_secret.value(tmp_path, environ) == "s3cret"
    environ = {**PROVIDER, "RETINUE_SERVE__OIDC__CLIENT_SECRET_FILE": str(tmp_path / "secret")}
    told = serve_settings(Serve(), environ)
    assert told.oidc is not None and told.oidc.client_secret is not None
    assert told.oidc.client_secret.value(tmp_path, environ) == "s3cret"
    with pytest.raises(ProjectError, match="NOT_SET is not set"):
        Secret(env="NOT_SET").value(tmp_path, {})


@pytest.mark.parametrize("told", ["hunter2", "{env: A, file: b}", "{}"])
def test_a_secret_does_not_stand_in_the_project(tmp_path: Path, told: str):
    text = "project: p\naccounts: {table: a.csv}\nserve:\n  oidc:\n    issuer: https://id.example.com\n"
    (tmp_path / "retinue.yaml").write_text(f"{text}    client_id: x\n    client_secret: {told}\n")
    with pytest.raises(ProjectError) as error:
        load_settings(tmp_path, {})
    assert "{env: NAME} or {file: PATH}" in str(error.value)
    assert "hunter2" not in str(error.value)
    assert error.value.place is not None and error.value.place.line == 7


def test_a_misspelt_key_in_the_project_is_told_with_its_line(tmp_path: Path):
    (tmp_path / "retinue.yaml").write_text(
        "project: p\naccounts: {table: a.csv}\nserve:\n  prot: 1\n  port: 2\n"
    )
    with pytest.raises(ProjectError, match=r'retinue.yaml:4.*prot.*did you mean "port"'):
        load_settings(tmp_path, {})


def test_every_setting_has_one_variable():
    told = dict(variables())
    assert len(set(told.values())) == len(told)
    assert told["RETINUE_SERVE__OIDC__CLIENT_SECRET"] == "oidc.client_secret"
    assert set(Serve.model_fields) == {key.split(".")[0] for key in told.values()}
