"""A real OpenID Connect provider, somebody else's, as a process on the loopback address."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from core.supervision.ports import free_ports
from tests.conftest import skip_or_fail
from tests.processes.running import wait_until

HERE = Path(__file__).resolve().parent
INSTALL_WITHIN = 120  # seconds


@pytest.fixture(scope="session")
def provider_modules() -> Path:
    """Where ``oidc-provider`` is installed: outside of the tree, once for each state of the lock file."""
    if not shutil.which("node") or not shutil.which("npm"):
        skip_or_fail("node and npm are not installed")
    lock = (HERE / "package-lock.json").read_bytes()
    place = Path(tempfile.gettempdir()) / f"myp-oidc-{os.getuid()}-{hashlib.sha256(lock).hexdigest()[:12]}"
    place.mkdir(exist_ok=True, mode=0o700)
    with (place / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not (place / "installed").exists():
            _install(place)
            (place / "installed").touch()
    return place / "node_modules"


def _install(place: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(HERE / name, place / name)
    command = [
        "npm",
        "ci",
        "--omit=optional",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ]
    done = subprocess.run(
        command, check=False, cwd=place, capture_output=True, text=True, timeout=INSTALL_WITHIN
    )
    if done.returncode:
        skip_or_fail(f"npm cannot install oidc-provider: {done.stderr[-300:]}")


class Provider:
    """The provider, and whom it knows."""

    def __init__(self, modules: Path, directory: Path, redirect_uri: str) -> None:
        self._modules, self._directory, self._redirect_uri = modules, directory, redirect_uri
        self._people: dict[str, dict[str, Any]] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_ports(1)[0]

    @property
    def issuer(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def knows(self, subject: str, **claims: Any) -> None:
        """From now on it says this of the person."""
        self._people[subject] = {"preferred_username": subject, **claims}
        self._file.write_text(json.dumps(self._people))

    @property
    def _file(self) -> Path:
        return self._directory / "people.json"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._file.write_text(json.dumps(self._people))
        with (self._directory / "provider.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["node", str(HERE / "provider.mjs"), str(self.port), str(self._file), self._redirect_uri],
                env={**os.environ, "MYP_OIDC_MODULES": str(self._modules)},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self._is_up, 30, "the provider did not start")

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "provider.log").read_text()
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"{self.issuer}/.well-known/openid-configuration", timeout=5).ok
        return False

    def stop(self) -> None:
        """It is gone, as in a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._process = None


@pytest.fixture(scope="module")
def running_provider(
    provider_modules: Path, live_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    """One provider for a module, that may send people back to our live server."""
    back = f"{live_server.url}/accounts/oidc/sso/login/callback/"
    provider = Provider(provider_modules, tmp_path_factory.mktemp("provider"), back)
    yield provider
    provider.stop()


@pytest.fixture
def provider(running_provider: Provider, settings: Any) -> Provider:
    """The provider, running, and our settings that name it."""
    if running_provider._process is None:
        running_provider.start()
    settings.OIDC_ISSUER = running_provider.issuer
    settings.OIDC_ROLE_CLAIM = "groups"
    settings.OIDC_TRAINERS, settings.OIDC_ADMINISTRATORS = ["ausbilder"], ["admins"]
    settings.OIDC_SIGNUP = True
    app = {
        "provider_id": "sso",
        "name": "School log-in",
        "client_id": "myp",
        "secret": "only-for-tests",
        "settings": {"server_url": running_provider.issuer},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
    return running_provider
