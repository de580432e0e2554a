"""Who may do what to a job: the owner and the trainers, nobody else."""

from django.utils.translation import gettext as _

from accounts.models import User
from core.actor import Actor
from core.errors import Refused
from reservations.models import Job


def is_trainer(actor: Actor) -> bool:
    """Trainers, administrators, and the system itself."""
    if actor.user_id is None:
        return True
    user = User.objects.filter(pk=actor.user_id).first()
    return user is not None and user.is_trainer


def demand_role(actor: Actor, message: str, *, field: str = "") -> None:
    """Raise :class:`Refused` unless a trainer acts."""
    if not is_trainer(actor):
        raise Refused.because("not_allowed", message, field=field)


def demand_change(actor: Actor, job: Job) -> None:
    """Raise :class:`Refused` unless the owner or a trainer acts."""
    if actor.user_id != job.owner_id:
        demand_role(actor, _("Only the owner and trainers may change this job."))
