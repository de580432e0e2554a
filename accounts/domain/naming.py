"""Names and addresses of people: in order, and each only once."""

from collections.abc import Collection
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import Field, Q
from django.utils.translation import gettext as _

from accounts.models import User
from core.errors import Violation

TEXTS = ("username", "first_name", "last_name", "email")


def known() -> set[str]:
    """Every name and address there is, in small letters: asked once where many people are looked at."""
    pairs = User.objects.values_list("username", "email")
    return {text.lower() for pair in pairs for text in pair if text}


def wrong_with(person: User, among: Collection[str] | None = None) -> list[Violation]:
    """All that speaks against the person's texts; ``among`` are the names that are known, else the database is asked."""
    found = []
    for name in TEXTS:
        try:
            cast("Field[Any, Any]", User._meta.get_field(name)).clean(getattr(person, name), None)
            ProhibitNullCharactersValidator()(getattr(person, name))
        except ValidationError as error:
            found.append(Violation(f"{name}_invalid", name, " ".join(error.messages)))
    return found or taken(person, among)


def taken(person: User, among: Collection[str] | None = None) -> list[Violation]:
    """Names and addresses both log in, so no name may be anybody's address, nor differ by capitals alone."""
    found = []
    if _is_taken(person, person.username, among):
        found.append(username_taken())
    if person.email and _is_taken(person, person.email, among):
        message = _("Somebody else has this address. Everybody needs one of their own, or none.")
        found.append(Violation("email_taken", "email", message))
    return found


def username_taken() -> Violation:
    """Somebody is called that already."""
    return Violation("username_taken", "username", _("This user name is taken. Choose another."))


def _is_taken(person: User, text: str, among: Collection[str] | None) -> bool:
    if among is not None:
        return text.lower() in among
    same = Q(username__iexact=text) | Q(email__iexact=text)
    return User.objects.exclude(pk=person.pk).filter(same).exists()
