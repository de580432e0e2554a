"""A plug comes, changes, is trusted anew; and its secrets stay secret."""

import json
import logging

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from core.actor import SYSTEM
from core.errors import Refused
from core.fields import EncryptedTextField
from journal.models import Entry
from plugs.domain.registering import save_plug, trust_device
from plugs.drivers.base import Endpoint
from plugs.models import PlugCommand, PlugReading, PlugState, SmartPlug
from tests import factories

SECRET = "correct horse battery staple"
pytestmark = pytest.mark.django_db


def stored(plug):
    """The password as it lies in the database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM plugs_smartplug WHERE id = %s", [plug.pk])
        return cursor.fetchone()[0]


def added(now, **fields):
    told = {"name": "Ender", "address": "10.0.0.7", "password": SECRET, "username": "u@x.org", **fields}
    return save_plug(SmartPlug(**told), changed=list(told), actor=SYSTEM, now=now)


def test_a_new_plug_has_a_state_and_is_asked_at_once(bob, now):
    plug = save_plug(SmartPlug(name="Ender", address="10.0.0.7"), changed=["name"], actor=bob, now=now)
    state = PlugState.objects.get(plug=plug)
    assert (state.next_poll_at, state.wanted, state.observed) == (now, None, None)
    entry = Entry.objects.get()
    assert (entry.kind, entry.actor_id, entry.data) == ("plug.added", bob.user_id, {"fields": ["name"]})


@pytest.mark.parametrize("field", ["driver", "address", "username", "password"])
def test_another_endpoint_may_be_another_device(now, field):
    plug = added(now)
    known = {
        "device_id": "A",
        "generation": "klap",
        "failures": 4,
        "is_suspended": True,
        "error_code": "auth_failed",
    }
    PlugState.objects.filter(plug=plug).update(**known, next_poll_at=None)
    setattr(plug, field, "simulated" if field == "driver" else "10.0.0.8")
    save_plug(plug, changed=[field], actor=SYSTEM, now=now)
    state = PlugState.objects.get(plug=plug)
    assert (state.device_id, state.generation, state.failures, state.is_suspended) == ("", "", 0, False)
    assert (state.error_code, state.next_poll_at) == ("", now)
    assert getattr(SmartPlug.objects.get(), field) == getattr(plug, field)


def test_another_name_is_the_same_device(now):
    plug = added(now)
    PlugState.objects.filter(plug=plug).update(device_id="A", next_poll_at=None)
    plug.name = "Prusa"
    save_plug(plug, changed=["name"], actor=SYSTEM, now=now)
    state = PlugState.objects.get(plug=plug)
    assert (state.device_id, state.next_poll_at) == ("A", None)
    assert SmartPlug.objects.get().name == "Prusa"
    assert Entry.objects.get(kind="plug.changed").data == {"fields": ["name"]}


def test_only_the_named_fields_are_written(now):
    plug = added(now)
    SmartPlug.objects.filter(pk=plug.pk).update(address="10.0.0.9")  # somebody else was faster
    plug.name = "Prusa"
    save_plug(plug, changed=["name"], actor=SYSTEM, now=now)
    assert SmartPlug.objects.get().address == "10.0.0.9"


def test_a_device_is_trusted_anew(bob, now):
    plug = added(now)
    PlugState.objects.filter(plug=plug).update(device_id="A", next_poll_at=None)
    trust_device(plug, actor=bob, now=now)
    assert (PlugState.objects.get().device_id, PlugState.objects.get().next_poll_at) == ("", now)
    assert Entry.objects.get(kind="plug.trusted_anew").actor_id == bob.user_id


def test_only_known_drivers_are_let_in(now):
    with pytest.raises(Refused, match="driver_unknown"):
        added(now, driver="toaster")
    assert not SmartPlug.objects.exists()
    assert added(now, driver="simulated").driver == "simulated"


# ------------------------------------------------------------------ secrets


def test_a_password_is_a_token_at_rest_and_plain_for_the_driver(now):
    plug = added(now)
    assert SECRET not in stored(plug)
    assert stored(plug).startswith("gAAAA")
    assert SmartPlug.objects.get().password == SECRET
    before = stored(plug)
    save_plug(plug, changed=["password"], actor=SYSTEM, now=now)
    assert stored(plug) != before  # the same secret twice does not show as the same
    assert SmartPlug.objects.values_list("password", flat=True).get() == SECRET


@pytest.mark.parametrize("empty", ["", None])
def test_no_password_stays_no_password(now, empty):
    plug = added(now, password=empty)
    assert stored(plug) == ""
    assert SmartPlug.objects.get().password == ""


def test_a_wrong_key_stops_the_operation_and_says_what_to_do(now, settings):
    added(now)
    settings.FIELD_KEY = "another-key"
    with pytest.raises(ImproperlyConfigured, match="MYP_FIELD_KEY") as caught:
        SmartPlug.objects.get()
    assert SECRET not in str(caught.value)
    assert SmartPlug.objects.defer("password").get().name == "Ender"


def test_a_token_that_was_tampered_with_does_not_open(now):
    plug = added(now)
    token = stored(plug)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE plugs_smartplug SET password = %s", [token[:-6] + "AAAA=="])
    with pytest.raises(ImproperlyConfigured):
        SmartPlug.objects.get()


def test_nothing_secret_is_said_anywhere(now, caplog):
    caplog.set_level(logging.DEBUG)
    plug = added(now)
    plug.password = SECRET + "2"
    save_plug(plug, changed=["password"], actor=SYSTEM, now=now)
    endpoint = Endpoint("tapo", "10.0.0.7", "u@x.org", SECRET)
    said = [repr(plug), str(plug), repr(PlugState.objects.get()), repr(endpoint), str(endpoint), caplog.text]
    said += [json.dumps(entry.data) + entry.subject_label for entry in Entry.objects.all()]
    assert Entry.objects.count() == 2
    assert not [words for words in said if SECRET in words]


def test_a_password_cannot_be_searched(now):
    added(now)
    assert not SmartPlug.objects.filter(password=SECRET).exists()
    assert isinstance(SmartPlug._meta.get_field("password"), EncryptedTextField)


def test_rows_say_what_they_are(now):
    plug = factories.PlugFactory(name="Ender")
    command = PlugCommand(plug=plug, on=True, planned_at=now, created_at=now)
    told = [str(row) for row in (plug, plug.state, command, PlugReading(plug=plug, at=now, on=True))]
    assert told == ["Ender", str(plug.pk), "Ender on", f"{plug.pk} 2026-02-04 09:00:00"]
