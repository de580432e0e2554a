"""What the journal's kinds say in words; a kind that is missing here is shown as it stands."""

from django.utils.translation import gettext_lazy as _

KINDS = {
    "job.booked": _("Job booked"),
    "job.moved": _("Job moved"),
    "job.described": _("Job described anew"),
    "job.cancelled": _("Job cancelled"),
    "job.approved": _("Job approved"),
    "job.refused": _("Job refused"),
    "job.started": _("Job started"),
    "job.finished": _("Job finished"),
    "job.missed": _("Job missed"),
    "job.aborted": _("Job aborted"),
    "plug.added": _("Plug added"),
    "plug.changed": _("Plug changed"),
    "plug.removed": _("Plug removed"),
    "plug.trusted_anew": _("Plug trusted anew"),
    "plug.overridden": _("Plug switched by hand"),
    "plug.override_ended": _("Plug back to the plan"),
    "plug.switched_on": _("Plug switched on"),
    "plug.switched_off": _("Plug switched off"),
    "plug.held": _("Switching off held back: the machine draws power"),
    "plug.strayed": _("Plug found in another state than left"),
    "plug.power_cut": _("Plug came back after a power cut"),
    "plug.contact_failed": _("Plug: contact failed"),
    "plug.lost": _("Plug lost"),
    "plug.found_again": _("Plug found again"),
    "plug.suspended": _("Plug suspended: login refused"),
    "printer.added": _("Machine added"),
    "printer.changed": _("Machine changed"),
    "printer.removed": _("Machine removed"),
    "printer.service_set": _("Machine: service state set"),
    "outage.set": _("Outage set"),
    "outage.changed": _("Outage changed"),
    "outage.lifted": _("Outage lifted"),
    "location.added": _("Location added"),
    "location.changed": _("Location changed"),
    "location.removed": _("Location removed"),
    "limits.changed": _("Booking limits changed"),
    "user.added": _("Person added"),
    "user.changed": _("Person changed"),
    "user.removed": _("Person removed"),
    "qualification.added": _("Qualification added"),
    "qualification.changed": _("Qualification changed"),
    "qualification.removed": _("Qualification removed"),
    "grant.given": _("Qualification granted"),
    "grant.changed": _("Granted qualification changed"),
    "grant.taken": _("Granted qualification taken back"),
    "scheduler.stopped": _("Scheduler stopped"),
    "scheduler.started": _("Scheduler started"),
}


def kind_words(kind: str) -> str:
    """A kind for people."""
    return str(KINDS.get(kind, kind))
