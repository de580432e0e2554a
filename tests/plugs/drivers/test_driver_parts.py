"""The corners that no healthy plug shows."""

import asyncio
import json
import os
import socket
import struct
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from plugs.drivers import passthrough, wire
from plugs.drivers.base import Endpoint
from plugs.drivers.errors import (
    AccessDisabled,
    AuthFailed,
    BadReply,
    DeviceRejected,
    DriverMissing,
    ProtocolMismatch,
    SessionLost,
    TimedOut,
    Unreachable,
)
from plugs.drivers.klap import KlapDriver, _Runtime, error_from_text
from plugs.drivers.passthrough import _P110, _ask, _result, _stumble
from plugs.drivers.registry import driver_names, open_driver
from plugs.drivers.session import Session
from plugs.drivers.simulated import SimulatedDriver
from plugs.drivers.tapo import detect_generation
from plugs.drivers.tapo_json import reading_from_info, with_usage
from simulation.spec import PlugSpec
from simulation.workshop import SimulatedWorkshop
from tests.plugs.drivers.scripted import http, scripted

pytestmark = pytest.mark.sockets


# -- registry --------------------------------------------------------------------------------------------------------


def test_every_named_driver_opens():
    for name in driver_names():
        driver = open_driver(Endpoint(name, "127.0.0.1:1"))
        asyncio.run(driver.close())


def test_unknown_driver_is_missing():
    with pytest.raises(DriverMissing, match="kasa"):
        open_driver(Endpoint("kasa", "127.0.0.1"))


@pytest.mark.parametrize(("driver", "package"), [("klap", "tapo"), ("passthrough", "PyP100")])
def test_missing_package_is_named_and_breaks_only_its_own_plugs(driver, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, f"plugs.drivers.{driver}", raising=False)
    open_driver(Endpoint("simulated", "x"))
    open_driver(Endpoint("tapo", "x"))
    with pytest.raises(DriverMissing, match=package):
        open_driver(Endpoint(f"tapo_{driver}", "x"))


# -- KLAP ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('Tapo(Unauthorized { kind: "SESSION_TIMEOUT", description: "x" })', SessionLost),
        ('Tapo(Unauthorized { kind: "HASH_MISMATCH", description: "x" })', AuthFailed),
        ('Tapo(Unauthorized { kind: "FORBIDDEN", description: "x" })', AccessDisabled),
        ('Tapo(DeviceError { code: -1501, kind: "LOGIN" })', AuthFailed),
        ('Tapo(DeviceError { code: -40401, kind: "TPAP_AUTH_ATTEMPTS_LIMIT" })', AuthFailed),
        ('Tapo(DeviceError { code: -40402, kind: "TPAP_SESSION_INVALID" })', SessionLost),
        ('Tapo(DeviceError { code: 9999, kind: "UNKNOWN" })', SessionLost),
        ('Tapo(DeviceError { code: 1003, kind: "UNKNOWN" })', ProtocolMismatch),
        ('Tapo(DeviceError { code: -1301, kind: "UNKNOWN" })', DeviceRejected),
        ('Tapo(HttpError { status_code: 404, description: "Handshake1 failed" })', ProtocolMismatch),
        ('Tapo(HttpError { status_code: 403, description: "Handshake2 failed" })', AuthFailed),
        ('Tapo(HttpError { status_code: 403, description: "Request failed" })', BadReply),
        ('Tapo(HttpError { status_code: 500, description: "Request failed" })', BadReply),
        ("Other(The device uses the legacy AES protocol, which is no longer supported.)", ProtocolMismatch),
        ('Http(reqwest::Error { kind: Request, url: "http://x", source: TimedOut })', TimedOut),
        ("Http(reqwest::Error { source: hyper::Error(Parse(Version)) })", BadReply),
        ("Http(reqwest::Error { source: ConnectError })", Unreachable),
        ("Other(Decryption error: Error\n\nStack backtrace:\n   0: <unknown>)", BadReply),
    ],
)
def test_text_of_the_package_becomes_our_error(text, expected):
    assert type(error_from_text(text)) is expected


def test_third_protocol_is_named_by_the_endpoint():
    assert KlapDriver(Endpoint("tapo_klap", "x", generation="tpap")).generation == "tpap"


def test_process_that_was_forked_too_late_is_told(monkeypatch):
    monkeypatch.setattr(_Runtime, "pid", os.getpid() + 1)
    driver = KlapDriver(Endpoint("tapo_klap", "127.0.0.1:1", "u", "p"))
    with pytest.raises(DriverMissing, match="afresh"):
        asyncio.run(driver.read(1))


def test_energy_refused_for_another_reason_is_an_error(monkeypatch):
    """Only the unset clock is an excuse for having no energy figures."""

    async def refuse(_driver, _question):
        raise DeviceRejected(-1008)

    driver = KlapDriver(Endpoint("tapo_klap", "x"))
    monkeypatch.setattr(driver, "_ask", lambda question: refuse(driver, question))
    reading = reading_from_info({"device_on": True, "device_id": "A"})
    with pytest.raises(DeviceRejected):
        asyncio.run(driver.measure(reading, 1))
    older = open_driver(Endpoint("tapo_passthrough", "x"))
    monkeypatch.setattr(older, "_ask", lambda question: refuse(older, question))
    with pytest.raises(DeviceRejected):
        asyncio.run(older.measure(reading, 1))


# -- what a plug says ------------------------------------------------------------------------------------------------


def test_value_that_is_missing_or_odd_is_unknown():
    reading = reading_from_info({"device_on": False, "device_id": "A", "rssi": "strong"})
    assert (reading.on_seconds, reading.rssi, reading.firmware) == (None, None, "")
    full = with_usage(reading, {"today_energy": 7, "current_power": True})
    assert (full.power_w, full.energy_today_wh, full.energy_month_wh) == (None, 7.0, None)


@pytest.mark.parametrize("info", [{}, {"device_on": 1, "device_id": "A"}, {"device_on": True}])
def test_answer_without_relay_or_identity_is_no_reading(info):
    with pytest.raises(BadReply):
        reading_from_info(info)


@pytest.mark.parametrize(("code", "retryable"), [(1002, True), (-1008, False)])
def test_refusal_says_whether_to_try_again(code, retryable):
    assert DeviceRejected(code).retryable is retryable


# -- securePassthrough -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stumble", "expected"),
    [
        (Exception("Error Code: -1501, Invalid Request or Credentials"), AuthFailed),
        (KeyError("-1301"), DeviceRejected),
        (KeyError("result"), BadReply),
        (ValueError("malformed node"), BadReply),
    ],
)
def test_stumbling_of_the_package_becomes_our_error(stumble, expected):
    assert type(_stumble(stumble)) is expected


def test_envelope_is_looked_into():
    assert _result({"error_code": 0}) == {}
    with pytest.raises(DeviceRejected):
        _result({"error_code": -1})
    for envelope in (None, {}, {"error_code": "0"}):
        with pytest.raises(BadReply):
            _result(envelope)


def _post(address: str, left: float = 2.0, method: str = "securePassthrough"):
    session = Session(address)
    session.until = time.monotonic() + left
    try:
        return session.post(f"http://{address}/app?token=1", json={"method": method})
    finally:
        session.close()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", Unreachable),
        (b"no HTTP at all\r\n\r\n", BadReply),
        (http(200, b"{"), BadReply),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Unreachable),
        (http(200, b"[]"), BadReply),
        (http(200, b'{"error_code": "many"}'), BadReply),
        (http(200, b'{"error_code": 1003}'), ProtocolMismatch),
        (http(404, b""), ProtocolMismatch),
        (http(403, b""), SessionLost),
    ],
)
def test_session_names_what_came_back(answer, expected):
    with scripted(answer) as address, pytest.raises(expected) as caught:
        _post(address)
    assert type(caught.value) is expected


def test_session_reads_cookies_and_asks_again_on_a_fresh_line():
    """A plug may close an idle line: that must not look like a failure."""
    answer = http(200, b'{"error_code": 0}', "Set-Cookie: TP_SESSIONID=AB12;TIMEOUT=1440")
    with scripted(answer, answer) as address:
        session = Session(address)
        session.until = time.monotonic() + 2
        for _ in range(2):
            reply = session.post(f"http://{address}/app", json={"method": "handshake"})
            assert reply.cookies["TP_SESSIONID"] == "AB12"
            time.sleep(0.05)
        session.close()


def test_session_without_time_left_sends_nothing():
    with pytest.raises(TimedOut):
        _post("127.0.0.1:1", left=0)


def test_aborted_session_stays_silent_and_ends_closed():
    session = Session("127.0.0.1:1")
    session.until = time.monotonic() + 5
    session.abort()  # no line yet: nothing to wake
    with pytest.raises(TimedOut):
        session.post("http://127.0.0.1:1/app", json={})
    session.settle()


def test_abort_after_the_plug_left_is_no_error():
    with scripted(http(200, b'{"error_code": 0}')) as address:
        session = Session(address)
        session.until = time.monotonic() + 2
        session.post(f"http://{address}/app", json={})
        session.lend()
        session._connection.sock.close()
        session.abort()
        session.settle()
    assert session._connection is None


def test_call_that_gets_no_thread_in_time_leaves_no_line_open(monkeypatch):
    busy = threading.Event()
    crew = passthrough._crew(os.getpid())
    with (
        ThreadPoolExecutor(1) as pool,
        SimulatedWorkshop([PlugSpec("p", generation="passthrough")]) as workshop,
    ):
        monkeypatch.setattr(crew, "threads", pool)
        endpoint = Endpoint("tapo_passthrough", workshop.address("p"), "workshop@example.org", "workshop")

        async def use() -> None:
            driver = open_driver(endpoint)
            await driver.read(5)
            pool.submit(busy.wait, 5)
            with pytest.raises(TimedOut):
                await driver.read(0.1)
            busy.set()
            assert (await driver.read(5)).on is False
            await driver.close()

        asyncio.run(use())


def test_failure_in_the_thread_is_ours():
    plug = _P110("127.0.0.1:1", "alice", "secret")
    plug.is_logged_in = True
    with pytest.raises(BadReply):
        _ask(plug, lambda _plug: {}["nothing"])


# -- finding out who is there ----------------------------------------------------------------------------------------

NOT_PASSTHROUGH = http(200, b'{"error_code": 1003}')


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ((http(200, b'{"error_code": 0, "result": {}}'),), "passthrough"),
        ((NOT_PASSTHROUGH, http(200, b"x" * 48)), "klap"),
        ((NOT_PASSTHROUGH, http(403, b""), http(200, b'{"error_code":0,"result":{"tpap":{}}}')), "tpap"),
        ((NOT_PASSTHROUGH, http(403, b""), http(200, b'{"error_code":-1}')), AccessDisabled),
        ((NOT_PASSTHROUGH, http(403, b""), http(404, b"")), AccessDisabled),
        ((http(403, b""), http(403, b""), http(403, b"")), AccessDisabled),
        ((http(404, b""), http(404, b"")), ProtocolMismatch),
        ((NOT_PASSTHROUGH, http(200, b"too short")), ProtocolMismatch),
        ((http(200, b"<html>a printer, not a plug</html>"),), BadReply),
        ((http(200, b"[]"),), BadReply),
        ((b"SSH-2.0-OpenSSH\r\n",), BadReply),
        ((b"",), Unreachable),
        ((b"HTTP/1.1 200 OK\r\n\r\n{",), BadReply),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,), BadReply),
    ],
)
def test_generation_is_found_without_credentials(answers, expected):
    with scripted(*answers) as address:
        if isinstance(expected, str):
            assert asyncio.run(detect_generation(address)) == expected
        else:
            with pytest.raises(expected):
                asyncio.run(detect_generation(address))


def test_mismatch_that_a_new_probe_confirms_is_an_error():
    """The plug greets as an older one and then denies it."""
    nego = http(200, b'{"error_code": 0}')
    with scripted(b"", NOT_PASSTHROUGH, nego) as address:
        driver = open_driver(Endpoint("tapo", address, "u", "p", generation="passthrough"))
        with pytest.raises(ProtocolMismatch):
            asyncio.run(driver.read(3))
        assert driver.generation == "passthrough"


def test_informational_answer_is_passed_over():
    with scripted(b"HTTP/1.1 100 Continue\r\n\r\n" + http(204, b"")) as address:
        assert asyncio.run(wire.post(address, "/", b"{}")).status == 204


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", ("192.0.2.7", 80)),
        ("plug.lan:81", ("plug.lan", 81)),
        ("[fe80::1]:8080", ("fe80::1", 8080)),
    ],
)
def test_address_is_split(address, expected):
    assert wire.host_and_port(address) == expected


@pytest.mark.parametrize("address", ["", ":80", "plug:http", "[fe80::1"])
def test_address_that_is_none_is_unreachable(address):
    with pytest.raises(Unreachable):
        wire.host_and_port(address)


def test_line_that_breaks_while_asking_is_unreachable():
    listener = socket.create_server(("127.0.0.1", 0))

    def reset() -> None:
        connection, _ = listener.accept()
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    thread = threading.Thread(target=reset)
    thread.start()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unreachable):
        asyncio.run(wire.post(address, "/app", b"{" + b"x" * 100))
    thread.join()
    listener.close()


# -- the plug that is only a file ------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MYP_SIMULATED_DIR", str(tmp_path / "plugs"))
    return tmp_path / "plugs"


def _simulated(address: str = "bench 1/left") -> SimulatedDriver:
    return SimulatedDriver(Endpoint("simulated", address))


def test_two_drivers_see_one_plug(place):
    asyncio.run(_simulated().set(True, 1))
    assert asyncio.run(_simulated().read(1)).on
    assert not asyncio.run(_simulated("bench 2").read(1)).on
    assert [file.name for file in place.iterdir()] == ["bench%201%2Fleft.json"]


def test_simulated_printer_draws_more_when_it_prints_and_the_meter_counts(place):
    asyncio.run(_simulated().set(True, 1))
    file = next(place.iterdir())
    state = json.loads(file.read_text())
    assert asyncio.run(_simulated().read(1)).power_w == 8.0
    earlier = state["on_since"].replace(state["on_since"][:4], str(int(state["on_since"][:4]) - 1), 1)
    file.write_text(json.dumps(state | {"on_since": earlier}))
    reading = asyncio.run(_simulated().read(1))
    assert reading.power_w == 110.0
    assert reading.energy_total_wh == pytest.approx(365 * 24 * 110, rel=0.01)
    assert reading.energy_today_wh is None
    asyncio.run(_simulated().set(False, 1))
    after = asyncio.run(_simulated().read(1))
    assert after.power_w == 0.0
    assert after.energy_total_wh == pytest.approx(reading.energy_total_wh, rel=0.001)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"on_since": "yesterday", "total_wh": 0}'])
def test_file_with_something_else_is_a_bad_reply(place, text):
    place.mkdir()
    (place / "x.json").write_text(text)
    with pytest.raises(BadReply):
        asyncio.run(_simulated("x").read(1))


def test_file_that_cannot_be_read_or_written_is_unreachable(place):
    (place / "x.json").mkdir(parents=True)
    with pytest.raises(Unreachable):
        asyncio.run(_simulated("x").read(1))
    driver = _simulated("x")
    with pytest.raises(Unreachable):
        driver._save({})


def test_place_that_cannot_be_made_is_unreachable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MYP_SIMULATED_DIR", str(tmp_path / "file" / "plugs"))
    with pytest.raises(Unreachable):
        asyncio.run(_simulated().read(1))


def test_without_a_setting_the_plugs_live_in_a_directory_of_this_user(tmp_path, monkeypatch):
    monkeypatch.delenv("MYP_SIMULATED_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asyncio.run(_simulated("x").set(True, 1))
    [place] = tmp_path.iterdir()
    assert place.stat().st_mode & 0o777 == 0o700
    stranger = place.stat().st_uid + 1
    place.rename(tmp_path / f"myp-simulated-{stranger}")
    monkeypatch.setattr("os.getuid", lambda: stranger)
    with pytest.raises(Unreachable, match="somebody else"):
        asyncio.run(_simulated("x").read(1))
