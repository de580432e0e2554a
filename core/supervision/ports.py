"""Ports on this machine that nobody listens on."""

import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain, islice

# Below the range that outgoing connections take their ports from (32768 and up on Linux): between the look
# and the listener's start no client can come by such a port.
RANGE = range(20000, 32000)


def free_ports(count: int, *, preferred: Sequence[int] = (), host: str = "127.0.0.1") -> list[int]:
    """So many different ports, the preferred ones first where they are still free.

    All are held until the last is found: a port that is let go at once may come twice.
    Raises :class:`OSError` when there are not enough.
    """
    shuffled = secrets.SystemRandom().sample(RANGE, len(RANGE))
    with ExitStack() as held:
        candidates = dict.fromkeys(chain(preferred, shuffled))
        found = list(islice((port for port in candidates if _hold(held, host, port)), count))
    if len(found) < count:
        raise OSError(f"fewer than {count} free ports on {host}")
    return found


def _hold(held: ExitStack, host: str, port: int) -> bool:
    probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        probe.bind((host, port))
    except OSError:
        return False
    return True
