"""What the processes of one cluster tell each other through shared memory, without a lock.

A lock would be the very thing that a killed process takes into its grave.
"""

import os
from multiprocessing.sharedctypes import RawArray, RawValue
from time import monotonic

# With nothing else to do, a beat travels through the cluster this often.
BEAT_EVERY = 5.0
# After this much silence another beat is sent every second.
UNEASY_AFTER = 10.0
# After this much silence the cluster is dead, though its processes live.
DEAD_AFTER = 20.0
_SLOTS = 64


class Lifeline:
    """When something last came back through pusher, worker and monitor; and which workers are at work."""

    def __init__(self, task_limit: float) -> None:
        self._task_limit = task_limit
        self._came_back_at = RawValue("d", monotonic())
        self._has_lived = RawValue("b", 0)
        self._beat_sent_at = RawValue("d", 0.0)
        self._busy_until = RawArray("d", _SLOTS)

    def came_back(self) -> None:
        """In the monitor: a task is done, stored and acknowledged."""
        self._came_back_at.value = monotonic()
        self._has_lived.value = 1

    def began(self) -> None:
        """In a worker: it is at work, for as long as a task may take at most."""
        self._busy_until[os.getpid() % _SLOTS] = monotonic() + self._task_limit

    def finished(self) -> None:
        """In a worker: it waits for the next task."""
        self._busy_until[os.getpid() % _SLOTS] = 0.0

    def take_beat(self) -> bool:
        """In the pusher: is it time to send a beat? Saying yes counts as sending it."""
        now = monotonic()
        is_uneasy = self.silent_for >= UNEASY_AFTER or not self.has_lived
        is_quiet = self.silent_for >= BEAT_EVERY or not self.has_lived
        if not is_quiet or now - self._beat_sent_at.value < (1.0 if is_uneasy else BEAT_EVERY):
            return False
        self._beat_sent_at.value = now
        return True

    @property
    def has_lived(self) -> bool:
        """True once something came back at all."""
        return bool(self._has_lived.value)

    @property
    def silent_for(self) -> float:
        """Seconds since something last came back."""
        return max(0.0, monotonic() - float(self._came_back_at.value))

    @property
    def is_dead(self) -> bool:
        """Nothing comes back, and no worker is at work that would explain it."""
        return self.silent_for > DEAD_AFTER and all(until < monotonic() for until in self._busy_until)
