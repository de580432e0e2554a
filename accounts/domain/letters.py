"""Letters by e-mail: written down at once, sent by a worker.

A request never talks to the mail server. What is queued holds no secret: links are made when the letter is sent.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from smtplib import SMTPRecipientsRefused
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import translation
from django_q.tasks import async_task

from accounts.domain.inviting import demand_invitable, make_link, valid_for
from accounts.models import User
from core import clock
from core.actor import SYSTEM, Actor
from journal.domain.recording import Event, record

DELIVER = "accounts.domain.letters.deliver"
# The letters that carry a one-time link.
WITH_LINK = {"invitation", "reset"}
logger = logging.getLogger(__name__)


def can_send() -> bool:
    """Whether there is a mail server."""
    return bool(settings.EMAIL_HOST)


def tell_closed(person: User, cancelled: Sequence[str], *, now: datetime) -> bool:
    """Tell the person that the account is switched off and which bookings went with it; False: nobody is told."""
    if not can_send() or not person.email:
        record([Event("user.not_told", person, {"letter": "closed"})], actor=SYSTEM, now=now)
        return False
    _queue("closed", [person.pk], "", settings.LANGUAGE_CODE, {"cancelled": list(cancelled)})
    return True


@transaction.atomic
def invite(
    people: Sequence[User], *, actor: Actor, origin: str, language: str, now: datetime | None = None
) -> None:
    """Send each person a link with which they choose their password."""
    demand_invitable(people, actor)
    if people:
        _queue("invitation", [person.pk for person in people], "", language, {"origin": origin})
    record([Event("user.invited", person) for person in people], actor=actor, now=now or clock.now())


def send_reset(person: User, *, origin: str, language: str) -> None:
    """The link that somebody asked for who has forgotten the password."""
    _queue("reset", [person.pk], "", language, {"origin": origin})


def send_unknown(address: str, *, origin: str, language: str) -> None:
    """Somebody asked for a link for an address that nobody here has: say so there, and nowhere else."""
    _queue("unknown", [], address, language, {"origin": origin})


def _queue(letter: str, user_ids: list[int], address: str, language: str, facts: dict[str, Any]) -> None:
    async_task(DELIVER, letter, user_ids, address, language, facts, q_options={"group": "letters"})  # type: ignore[no-untyped-call, unused-ignore]


def deliver(letter: str, user_ids: list[int], address: str, language: str, facts: dict[str, Any]) -> None:
    """A worker's task: send one letter, then queue the rest behind whatever else waits.

    So a whole class is written to without a plug having to wait for it. Raises when the mail server does not
    answer: the queue tries again.
    """
    person = User.objects.filter(pk=user_ids[0]).first() if user_ids else None
    if not user_ids or (person is not None and person.email):
        _send(letter, person, address, language, facts)
    if rest := user_ids[1:]:
        _queue(letter, rest, address, language, facts)


def _send(letter: str, person: User | None, address: str, language: str, facts: dict[str, Any]) -> None:
    who = person.pk if person else "nobody we know"
    try:
        _write(letter, person, address, language, facts).send()
    except OSError as error:  # what smtplib raises is one, too
        logger.warning("The letter %r to %s was not sent: %s", letter, who, type(error).__name__)
        _note("user.not_told", person, {"letter": letter, "error": type(error).__name__})
        if not isinstance(
            error, SMTPRecipientsRefused
        ):  # an address that is refused today is refused tomorrow
            raise
    else:
        _note("user.told", person, {"letter": letter})


def _write(
    letter: str, person: User | None, address: str, language: str, facts: dict[str, Any]
) -> EmailMessage:
    """The first line of a letter's template is its subject."""
    context = {**facts, "person": person, "site_name": settings.SITE_NAME, "days": valid_for().days}
    if person is not None and letter in WITH_LINK:
        context["link"] = make_link(person, facts["origin"])
    with translation.override(language):
        text = render_to_string(f"accounts/letters/{letter}.txt", context).strip()
    subject, _newline, body = text.partition("\n")
    to = person.email if person is not None else address
    headers = {"Auto-Submitted": "auto-generated"}
    return EmailMessage(subject.strip(), body.strip() + "\n", to=[to], headers=headers)


def _note(kind: str, person: User | None, data: dict[str, Any]) -> None:
    if person is not None:
        record([Event(kind, person, data)], actor=SYSTEM, now=clock.now())
