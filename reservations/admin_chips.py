"""States of machines and jobs as chips of the admin."""

from django.utils.safestring import SafeString

from core.theme import chip
from reservations.presenting.badges import Badge

_SHAPES = {"circle": "●", "clock": "◷", "play": "▶", "warning": "▲", "cross": "✕", "check": "✓"}


def badge_chip(badge: Badge) -> SafeString:
    """A state as it looks on every other page."""
    return chip(tone_of(badge), badge.word, weight=badge.weight, shape=_SHAPES.get(badge.icon, ""))


def tone_of(badge: Badge) -> str:
    """The badge's colour, by the admin's name for it."""
    return "unknown" if badge.tone == "offline" else badge.tone
