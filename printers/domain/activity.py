"""What a machine does, judged by its plug. Pure."""

from printers.choices import Activity


def judge(*, is_on: bool | None, power_w: float | None, busy_above_w: float) -> Activity:
    """The activity from one reading (watts)."""
    if is_on is None:
        return Activity.UNKNOWN
    if not is_on:
        return Activity.UNPOWERED
    if power_w is None:
        return Activity.UNKNOWN
    return Activity.BUSY if power_w > busy_above_w else Activity.IDLE
