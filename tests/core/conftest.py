"""What the core's tests share."""

import pytest

from core import registry


@pytest.fixture
def only_mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty registry, so that a test sees its own functions alone."""
    monkeypatch.setattr(registry, "_periodics", {})
    monkeypatch.setattr(registry, "_sources", {})
