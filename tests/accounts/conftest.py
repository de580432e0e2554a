"""What the tests of people share."""

from collections.abc import Iterator

import pytest
from django.core.cache import cache


@pytest.fixture(autouse=True)
def _forget_how_often() -> Iterator[None]:
    """Rate limits are counted in the process; each test begins at nothing."""
    cache.clear()
    yield
    cache.clear()
