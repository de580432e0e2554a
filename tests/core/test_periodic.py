"""The core's own periodic work, and the modules that are found by themselves."""

from datetime import timedelta

import pytest

from core import registry
from core.domain import beating
from core.models import Heartbeat
from core.periodic import forget_silent_workers


def test_autodiscovery_found_the_core_s_own_module():
    assert registry.periodics()["core.forget_silent_workers"].run is forget_silent_workers


@pytest.mark.django_db
def test_silent_workers_are_swept_up(now):
    beating.beat("worker:pi:1", at=now - timedelta(hours=2), detail={})
    forget_silent_workers(now)
    assert not Heartbeat.objects.exists()
