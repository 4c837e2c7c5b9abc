"""The settings: one reading of the environment, all problems at once, nothing secret shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.errors import ConfigurationError
from delivery.settings import Secret, Settings


def test_nothing_set_is_enough_to_look_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a single variable the settings can be read: definitions load on any machine."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.read({})
    assert (settings.root, settings.work) == (tmp_path, tmp_path / ".work")
    assert settings.defs.name == "defs" and settings.defs.parent.name == "delivery"
    assert settings.github_api_url == "https://api.github.com"
    assert settings.git_url == "https://github.com"
    assert settings.ui_url == "http://127.0.0.1:3000"
    assert settings.signing_key == "alias/delivery-signing"
    assert (settings.bucket, settings.region, bool(settings.github_token)) == ("", "", False)


def test_every_setting_can_be_set(tmp_path: Path) -> None:
    """What is given is used; URLs lose a final slash, so that paths can be added to them."""
    environ = {
        "DELIVERY_ROOT": str(tmp_path),
        "DELIVERY_DEFS": str(tmp_path),
        "DELIVERY_WORK": str(tmp_path / "w"),
        "DELIVERY_BUCKET": "acme-delivery",
        "DELIVERY_GIT_URL": "http://127.0.0.1:4580/",
        "DELIVERY_UI_URL": "https://dagster.acme.example/",
        "DELIVERY_SIGNING_KEY": "alias/other",
        "GITHUB_API_URL": "http://127.0.0.1:4580",
        "GITHUB_TOKEN": "hush",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "PATH": "/bin",
    }
    settings = Settings.read(environ)
    assert (settings.root, settings.defs, settings.work) == (tmp_path, tmp_path, tmp_path / "w")
    assert settings.required_bucket == "acme-delivery"
    assert settings.git_url == settings.github_api_url == "http://127.0.0.1:4580"
    assert settings.ui_url == "https://dagster.acme.example"
    assert (settings.signing_key, settings.region) == ("alias/other", "eu-central-1")
    assert settings.github_token.value == "hush"
    assert settings.environment == environ


def test_a_bucket_is_only_missed_where_it_is_needed() -> None:
    """Without DELIVERY_BUCKET settings load; who needs it is told what to set."""
    with pytest.raises(ConfigurationError, match=r"DELIVERY_BUCKET is not set.*delivery bootstrap"):
        _ = Settings.read({}).required_bucket


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """One error names every wrong setting; nothing is repaired silently."""
    environ = {
        "DELIVERY_ROOT": str(tmp_path / "gone"),
        "DELIVERY_DEFS": str(tmp_path / "nowhere"),
        "DELIVERY_BUCKT": "acme",
        "DELIVERY_GIT_URL": "ftp://example.com",
        "DELIVERY_UI_URL": "http://[",
        "GITHUB_API_URL": "api.github.com",
    }
    with pytest.raises(ConfigurationError) as wrong:
        Settings.read(environ)
    assert wrong.value.why.split("; ") == [
        "DELIVERY_BUCKT is not a setting, DELIVERY_BUCKET is",
        f"DELIVERY_ROOT names no folder: {tmp_path / 'gone'}",
        f"DELIVERY_DEFS names no folder: {tmp_path / 'nowhere'}",
        "GITHUB_API_URL is not an http(s) URL",
        "DELIVERY_GIT_URL is not an http(s) URL",
        "DELIVERY_UI_URL is not a URL",
    ]


def test_somebody_elses_variables_are_no_problem() -> None:
    """Only a near miss is a slip of the pen: other programs may use the same first word."""
    assert Settings.read({"DELIVERY_DATE": "tomorrow", "DELIVERYMAN": "x"}).bucket == ""


def test_no_secret_is_shown() -> None:
    """Neither the token nor the environment appear in any printed form of the settings."""
    settings = Settings.read({"GITHUB_TOKEN": "hush-1", "AWS_SECRET_ACCESS_KEY": "hush-2"})
    shown = f"{settings} {settings!r} {settings.github_token} {settings.github_token!r}"
    assert "hush" not in shown
    assert repr(Secret("")) == "Secret('')"


def test_credentials_in_a_url_are_refused_without_repeating_them() -> None:
    """A password in a URL would reach logs: it is refused, and the error does not hold it either."""
    with pytest.raises(ConfigurationError, match="GITHUB_TOKEN") as refused:
        Settings.read({"DELIVERY_GIT_URL": "https://ada:hush@github.com"})
    assert "hush" not in str(refused.value)


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument this process's environment is read."""
    monkeypatch.setenv("DELIVERY_BUCKET", "from-the-process")
    assert Settings.read().bucket == "from-the-process"
