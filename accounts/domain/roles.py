"""Roles as groups with Django permissions."""

from django.contrib.auth.models import Group, Permission
from django.db import transaction

from accounts.choices import Role
from accounts.models import User

# app.model -> what a trainer may do there in the admin. Whatever is not named stays shut.
TRAINER_MAY: dict[str, str] = {
    "accounts.user": "view add change",
    "accounts.qualification": "view add change delete",
    "accounts.grant": "view add change delete",
    "accounts.loginguard": "view change",  # change: lift; nothing else can be changed
    "axes.accessfailurelog": "view",
    "axes.accesslog": "view",
    "journal.entry": "view",
    "plugs.smartplug": "view add change",
    "plugs.plugcommand": "view",
    "plugs.plugreading": "view",
    "printers.location": "view add change delete",
    "printers.openinghours": "view add change delete",
    "printers.printer": "view add change",
    "printers.outage": "view add change delete",
    "reservations.job": "view add change",
    "reservations.bookinglimits": "view change",
    "core.periodictask": "view",
    "core.schedulerstate": "view change",
    "core.heartbeat": "view",
    "kiosk.display": "view change",
}


def ensure_roles(app_label: str) -> None:
    """Make the groups and settle what trainers may do in one app; safe to repeat."""
    wanted = [
        f"{verb}_{app_model.split('.')[1]}"
        for app_model, verbs in TRAINER_MAY.items()
        if app_model.split(".")[0] == app_label
        for verb in verbs.split()
    ]
    in_app = Permission.objects.filter(content_type__app_label=app_label)
    for role in Role:
        group, _made = Group.objects.get_or_create(name=role.value)
        if role is not Role.TRAINEE:
            group.permissions.remove(*in_app.exclude(codename__in=wanted))
            group.permissions.add(*in_app.filter(codename__in=wanted))


def may_give_roles(keeper: User) -> bool:
    """Administrators; trainers look after trainees only."""
    return keeper.is_active and keeper.role is Role.ADMINISTRATOR


def may_look_after(keeper: User, person: User) -> bool:
    """Trainers look after trainees, administrators after everybody but superusers, superusers after everybody."""
    if not keeper.is_trainer:
        return False
    if keeper.is_superuser:
        return True
    return not person.is_superuser and (may_give_roles(keeper) or person.role is Role.TRAINEE)


@transaction.atomic
def give_role(user: User, role: Role) -> None:
    """Put the person into the role's group and out of the others; trainers may enter the admin.

    The step itself, without rights and journal: those are ``people.change_person``'s.
    """
    user.groups.remove(*Group.objects.filter(name__in=[r.value for r in Role]))
    user.groups.add(Group.objects.get(name=role.value))
    user.is_staff = role is not Role.TRAINEE or user.is_superuser
    user.save(update_fields=["is_staff"])
    user.__dict__.pop("role", None)
