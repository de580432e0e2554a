"""Take a job in hand: lock what a change of it may touch, in the order everybody locks."""

from django.utils.translation import gettext as _

from accounts.models import User
from core.errors import Refused
from printers.models import Printer
from reservations.models import Job


def take(job_id: int, *, also_printer: int | None = None) -> tuple[Job, dict[int, Printer]]:
    """Lock the owner, then the machines by id, then read the job afresh.

    Returns the job and the locked machines. Raises ``Job.DoesNotExist``, or :class:`Refused` when the job
    went to another machine in between.
    """
    seen = Job.objects.values("owner_id", "printer_id").get(pk=job_id)
    User.objects.select_for_update().get(pk=seen["owner_id"])
    wanted = {seen["printer_id"], also_printer or seen["printer_id"]}
    printers = {p.pk: p for p in Printer.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}
    job = Job.objects.select_related("owner", "printer").get(pk=job_id)
    if (job.printer_id, job.owner_id) != (seen["printer_id"], seen["owner_id"]):
        raise Refused.because("job_changed", _("The job was just changed. Look again and retry."))
    return job, printers
