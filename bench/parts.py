"""Which parts there are. Names and figures only: nothing here needs Django."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One thing to measure: the function ``run`` of ``bench.<module>``, and how long it may take (seconds)."""

    name: str
    module: str
    says: str
    may_take: float
    variant: str = ""


PARTS = (
    Part("lateness-6", "lateness", "planned to confirmed by the plug, 6 plugs", 300, "6"),
    Part("lateness-200", "lateness", "the same, 200 plugs due at one instant, 20 of them dead", 600, "200"),
    Part("bookings", "bookings", "bookings per second over HTTP", 180),
    Part("api", "api", "requests per second and their cost, REST API beside a bare view", 240),
    Part("feed-sqlite", "feed", "the week's jobs with few and with many jobs, SQLite", 600, "sqlite"),
    Part("feed-postgresql", "feed", "the same on PostgreSQL", 900, "postgresql"),
    Part("memory", "memory", "memory of all processes, idle and after load", 240),
)


def chosen(names: list[str]) -> list[Part]:
    """The parts of these names, all without any; "feed" and "lateness" mean every part that begins so.

    Raises :class:`ValueError` for a name that means nothing.
    """
    for name in names:
        if not any(_is_meant(part, name) for part in PARTS):
            known = ", ".join(part.name for part in PARTS)
            raise ValueError(f"there is no part {name!r}; choose from: {known}")
    return [part for part in PARTS if not names or any(_is_meant(part, name) for name in names)]


def _is_meant(part: Part, name: str) -> bool:
    return name in {part.name, part.module}
