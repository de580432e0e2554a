"""What accounts tell the apps above."""

from dataclasses import dataclass

from django.dispatch import Signal


@dataclass(frozen=True, slots=True)
class Ended:
    """What a receiver of ``person_deactivated`` did: a line for each booking that was cancelled or goes on running."""

    cancelled: tuple[str, ...] = ()
    running: tuple[str, ...] = ()


# Sent inside the transaction, after the person is locked and switched off: person, actor, now. Answers with Ended.
person_deactivated = Signal()
