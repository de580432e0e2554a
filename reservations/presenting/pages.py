"""What a whole page shows."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.models import User
from reservations.choices import OCCUPYING, State
from reservations.domain.queries import jobs_of, overview
from reservations.models import Job
from reservations.presenting.jobs import JobCard, job_cards
from reservations.presenting.machines import MachineCard, machine_cards

# More than this is not a next step.
NEXT_STEPS = 3


@dataclass(frozen=True, slots=True)
class Live:
    """The part of the overview that changes by itself."""

    steps: tuple[JobCard, ...]
    machines: tuple[MachineCard, ...]

    @property
    def version(self) -> str:
        """Equal versions look the same: nothing has to be sent again."""
        return hashlib.sha256(repr((self.steps, self.machines)).encode()).hexdigest()[:16]

    @property
    def first_free(self) -> MachineCard | None:
        """A machine to offer to somebody without a job."""
        free = (card for card in self.machines if card.badge.tone == "free" and card.is_bookable)
        return next(free, None)


def live(viewer: User, now: datetime) -> Live:
    """The viewer's next steps, then all machines."""
    machines = machine_cards(overview(now), viewer, now)
    return Live(next_steps(viewer, now), machines)


def next_steps(viewer: User, now: datetime) -> tuple[JobCard, ...]:
    """What runs or should be running, else the one job that comes next."""
    jobs = list(open_jobs(viewer)[:NEXT_STEPS])
    begun = [job for job in jobs if job.starts_at <= now or job.state == State.RUNNING]
    return job_cards(begun or jobs[:1], viewer, now)


def open_jobs(viewer: User) -> QuerySet[Job]:
    """The viewer's jobs that wait or run, the first to come first."""
    return with_machines(jobs_of(viewer.pk).filter(state__in=OCCUPYING)).order_by("starts_at")


def past_jobs(viewer: User) -> QuerySet[Job]:
    """The viewer's jobs that are over, the latest first."""
    return with_machines(jobs_of(viewer.pk).exclude(state__in=OCCUPYING))


def with_machines(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Along with what a card tells: owner, machine, plug and what the plug says."""
    return jobs.select_related("owner", "printer__location", "printer__plug__state")
