"""How long readings are kept."""

from datetime import datetime, timedelta

from plugs.models import PlugReading

KEPT_FOR = timedelta(days=90)


def forget_old_readings(now: datetime) -> int:
    """Delete raw readings older than :data:`KEPT_FOR`; returns how many."""
    deleted, _by_model = PlugReading.objects.filter(at__lt=now - KEPT_FOR).delete()
    return deleted
