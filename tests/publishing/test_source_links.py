"""A checkout's repository URL is its own or none; no source contains an unowned URL."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from lmc_utils.publishing import source_links
from lmc_utils.settings import ParameterError

ROOT = Path(__file__).parents[2]
CONFIG = "title: t\nrepository: {url: null, branch: main}\nlaunch_buttons: {binderhub_url: https://mybinder.org}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "_config.yml").write_text(CONFIG)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def with_origin(root: Path, origin: str) -> Path:
    subprocess.run(["git", "-C", str(root), "remote", "add", "origin", origin], check=True)
    return root


def config(root: Path) -> dict[str, object]:
    path = root / "_build" / "config.yml"
    source_links.write_config(root, path)
    found: dict[str, object] = yaml.safe_load(path.read_text())
    return found


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("https://github.com/ada/book.git", "https://github.com/ada/book"),
        ("https://github.com/ada/book/", "https://github.com/ada/book"),
        ("http://ada:secret@git.example.org:8443/group/sub/book.git", "https://git.example.org/group/sub/book"),
        ("git@github.com:ada/book.git", "https://github.com/ada/book"),
        ("ssh://git@example.org:22/ada/book", "https://example.org/ada/book"),
        ("/srv/git/book.git", None),
        ("../book", None),
        ("file:///srv/book", None),
        ("https://example.org/book", None),
        ("https://example.org/a/b?x='><script>", None),
        ("", None),
    ],
)
def test_an_origin_has_a_web_address_or_none(origin: str, expected: str | None) -> None:
    assert source_links.url_from_origin(origin) == expected


def test_the_setting_comes_before_the_origin(checkout: Path) -> None:
    assert source_links.repository_url(checkout) is None
    with_origin(checkout, "git@github.com:ada/book.git")
    assert source_links.repository_url(checkout) == "https://github.com/ada/book"
    (checkout / "_config.yml").write_text(CONFIG.replace("null", "https://example.org/own/book"))
    assert source_links.repository_url(checkout) == "https://example.org/own/book"
    (checkout / "_config.yml").write_text(CONFIG.replace("null", "javascript:alert(1)"))
    with pytest.raises(ParameterError, match=r"^repository must be https://HOST/OWNER/NAME, or null \(got"):
        source_links.repository_url(checkout)


def test_a_folder_inside_another_checkout_does_not_use_its_origin(checkout: Path) -> None:
    with_origin(checkout, "git@github.com:ada/other.git")
    inner = checkout / "inner"
    inner.mkdir()
    (inner / "_config.yml").write_text(CONFIG)
    assert source_links.repository_url(inner) is None


def test_buttons_lead_to_the_repository_where_there_is_one(checkout: Path) -> None:
    none = config(checkout)
    assert none["html"] == {"use_repository_button": False, "use_issues_button": False}
    assert not {"repository", "launch_buttons"} & set(none)
    assert none["parse"] == {"myst_substitutions": {"repository": ""}}
    known = config(with_origin(checkout, "https://github.com/ada/book"))
    assert known["repository"] == {"url": "https://github.com/ada/book", "branch": "main"}
    assert known["launch_buttons"] == {"binderhub_url": "https://mybinder.org"}
    assert known["html"] == {"use_repository_button": True, "use_issues_button": True}
    (checkout / "_config.yml").write_text(CONFIG.replace("null", "https://example.org/own/book"))
    elsewhere = config(checkout)
    assert "launch_buttons" not in elsewhere
    assert elsewhere["parse"] == {"myst_substitutions": {"repository": "https://example.org/own/book"}}


def test_no_repository_address_is_configured() -> None:
    assert yaml.safe_load((ROOT / "_config.yml").read_text())["repository"]["url"] is None


def test_students_install_from_a_public_origin_or_by_name(checkout: Path) -> None:
    assert source_links.pip_requirement(checkout) == "lmc-utils[sweep]"
    with_origin(checkout, "git@github.com:ada/book.git")
    assert source_links.pip_requirement(checkout) == "lmc-utils[sweep] @ git+https://github.com/ada/book"
    assert source_links.pip_requirement(checkout / "no checkout") == "lmc-utils[sweep]"


@pytest.mark.parametrize("host", ["localhost", "192.168.1.7", "git", "git.local", "code.internal"])
def test_hosts_of_a_private_network_are_not_public(host: str) -> None:
    assert not source_links.is_public(f"https://{host}/ada/book")
