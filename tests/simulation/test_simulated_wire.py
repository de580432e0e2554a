"""The two protocols from the plug's side: what it answers to clients that misbehave."""

import base64
import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from simulation import aes
from simulation.device import Quirks, answer
from simulation.http import Request
from simulation.klap import Klap, auth_hash
from simulation.passthrough import Passthrough
from simulation.plug import SimulatedPlug
from simulation.spec import PlugSpec


@pytest.fixture
def plug() -> SimulatedPlug:
    return SimulatedPlug(PlugSpec("ender"))


def post(path: str, body: bytes, query: str = "", session: str = "") -> Request:
    return Request("POST", path, query, f"a=b; TP_SESSIONID={session}" if session else "", body)


def said(speaker, *request) -> dict:
    return json.loads(speaker.handle(post(*request)).body)


def pem(key) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


# -- the methods -----------------------------------------------------------------------------------------------------


def test_several_questions_in_one_request(plug):
    requests = [{"method": "get_current_power"}, {"method": "component_nego"}, {"method": "brew_coffee"}]
    reply = answer(plug, Quirks(), {"method": "multipleRequest", "params": {"requests": requests}})
    power, components, coffee = reply["result"]["responses"]
    assert power == {"method": "get_current_power", "result": {"current_power": 0}, "error_code": 0}
    assert {"id": "energy_monitoring", "ver_code": 2} in components["result"]["component_list"]
    assert coffee == {"method": "brew_coffee", "error_code": 1002}


def test_command_without_a_truth_value_is_refused(plug):
    for params in (None, {}, {"device_on": 1}):
        assert answer(plug, Quirks(), {"method": "set_device_info", "params": params}) == {
            "error_code": -1008
        }
    assert plug.counters.switches == 0


def test_older_firmware_leaves_a_field_out():
    old = SimulatedPlug(PlugSpec("a", generation="passthrough"))
    new = SimulatedPlug(PlugSpec("a", generation="klap"))
    fields = [set(answer(one, Quirks(), {"method": "get_device_info"})["result"]) for one in (old, new)]
    assert fields[1] - fields[0] == {"charging_status"}


def test_padding_that_does_not_fit_is_noticed():
    with pytest.raises(ValueError, match="padding"):
        aes.decrypt(b"k" * 16, b"i" * 16, b"")
    assert aes.decrypt(b"k" * 16, b"i" * 16, aes.encrypt(b"k" * 16, b"i" * 16, b"x" * 16)) == b"x" * 16


# -- securePassthrough -----------------------------------------------------------------------------------------------


@pytest.fixture
def old(plug) -> Passthrough:
    return Passthrough(plug, Quirks())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -1003),
        (b"[]", -1003),
        (b"{}", -1003),
        (b'{"method": "sing"}', 1002),
        (b'{"method": "handshake"}', -1010),
        (b'{"method": "handshake", "params": {"key": "none"}}', -1010),
        (b'{"method": "securePassthrough", "params": {"request": ""}}', 9999),
    ],
)
def test_older_plug_names_what_is_wrong(old, body, code):
    assert said(old, "/app", body)["error_code"] == code


def test_older_plug_knows_one_address_and_one_kind_of_key(old):
    assert old.handle(post("/app/handshake1", b"x" * 16)).status == 404
    body = {"method": "handshake", "params": {"key": pem(ec.generate_private_key(ec.SECP256R1()))}}
    assert said(old, "/app", json.dumps(body).encode())["error_code"] == -1010


def _shake(old: Passthrough) -> tuple[str, bytes, bytes]:
    key = rsa.generate_private_key(65537, 1024)
    body = json.dumps({"method": "handshake", "params": {"key": pem(key)}}).encode()
    response = old.handle(post("/app", body))
    secret = key.decrypt(base64.b64decode(json.loads(response.body)["result"]["key"]), padding.PKCS1v15())
    return response.cookie.partition("=")[2].partition(";")[0], secret[:16], secret[16:]


def _whisper(old: Passthrough, shaken: tuple[str, bytes, bytes], inner: dict, query: str = "") -> dict:
    session, key, iv = shaken
    sealed = base64.b64encode(aes.encrypt(key, iv, json.dumps(inner).encode())).decode()
    body = json.dumps({"method": "securePassthrough", "params": {"request": sealed}}).encode()
    reply = said(old, "/app", body, query, session)
    if reply["error_code"]:
        return reply
    return json.loads(aes.decrypt(key, iv, base64.b64decode(reply["result"]["response"])))


def test_older_plug_answers_only_after_the_login(old):
    shaken = _shake(old)
    assert _whisper(old, shaken, {"method": "get_device_info"})["error_code"] == 9999
    user = base64.b64encode(hashlib.sha1(b"workshop@example.org").hexdigest().encode()).decode()
    params = {"username": user, "password": base64.b64encode(b"workshop").decode()}
    token = _whisper(old, shaken, {"method": "login_device", "params": params})["result"]["token"]
    info = _whisper(old, shaken, {"method": "get_device_info"}, f"token={token}")
    assert info["result"]["device_id"] == old.plug.device_id
    assert _whisper(old, shaken, {"method": "get_device_info"}, "token=other")["error_code"] == 9999
    garbled = b'{"method": "securePassthrough", "params": {"request": "AAAA"}}'
    assert said(old, "/app", garbled, "", shaken[0])["error_code"] == -1003


def test_older_plug_locks_itself(old):
    shaken = _shake(old)
    for _ in range(10):
        assert _whisper(old, shaken, {"method": "login_device", "params": {}})["error_code"] == -1501
    assert old.plug.is_locked


# -- KLAP ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def new(plug) -> Klap:
    return Klap(plug, Quirks())


def _login(new: Klap, password: str = "workshop") -> tuple[int, str]:
    local = b"L" * 16
    greeting = new.handle(post("/app/handshake1", local))
    session = greeting.cookie.partition("=")[2].partition(";")[0]
    proof = hashlib.sha256(greeting.body[:16] + local + auth_hash("workshop@example.org", password)).digest()
    return new.handle(post("/app/handshake2", proof, "", session)).status, session


def test_newer_plug_refuses_wrong_proofs_and_locks_itself(new):
    assert _login(new)[0] == 200
    for _ in range(10):
        assert _login(new, "guess")[0] == 403
    assert new.plug.is_locked
    assert _login(new)[0] == 403


def test_newer_plug_refuses_what_is_no_message(new):
    _, session = _login(new)
    assert new.handle(post("/app/handshake1", b"short")).status == 400
    assert new.handle(post("/app/handshake2", b"", "", "nobody")).status == 403
    assert new.handle(post("/elsewhere", b"")).status == 404
    assert said(new, "/app", b"{}")["error_code"] == 1003
    for query in ("", "seq=x", "no=1", "seq=-9999999999", "seq=2147483647"):
        assert new.handle(post("/app/request", b"", query, session)).status == 403
    inside = new._sessions[session]
    number = inside.sequence + 1
    sealed = aes.encrypt(inside.key, inside.vector(number), b"no JSON")
    message = inside.sign(number, sealed) + sealed
    assert new.handle(post("/app/request", message, f"seq={number}", session)).status == 400
    assert (
        new.handle(post("/app/request", message, f"seq={number}", session)).status == 403
    )  # a number counts once


def test_newer_plug_forgets_half_open_greetings(new):
    for _ in range(12):
        new.handle(post("/app/handshake1", b"L" * 16))
    assert len(new._greeted) == 8
