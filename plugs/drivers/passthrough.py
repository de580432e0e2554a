"""Plugs with firmware before 1.3.0 (securePassthrough), through the package PyP100, which blocks: in threads."""

import asyncio
import base64
import functools
import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from PyP100 import PyP110

from plugs.drivers import wire
from plugs.drivers.base import Endpoint, PlugDriver, PlugReading
from plugs.drivers.errors import BadReply, DeviceRejected, DriverError, SessionLost
from plugs.drivers.session import Session
from plugs.drivers.tapo_json import CLOCK_UNSET, error_from_code, reading_from_info, with_power, with_usage

MOST_THREADS = 64  # a plug that hangs holds one for at most `session.READ_TIMEOUT`
_BLOCK = 16


class _Cipher:
    """AES as the plug wants it.

    PyP100's own padding leaves the padding out when a message fills its last block exactly, which happens with
    one password length in sixteen.
    """

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(key), modes.CBC(iv))

    def encrypt(self, text: str) -> str:
        plain = text.encode()
        missing = _BLOCK - len(plain) % _BLOCK
        encryptor = self._cipher.encryptor()
        sealed = encryptor.update(plain + bytes([missing]) * missing) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def decrypt(self, text: str) -> str:
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(base64.b64decode(text)) + decryptor.finalize()
        return plain[: -plain[-1]].decode()


class _Crew:
    """What all older plugs of one process share: the threads, and one RSA key.

    The plugs demand 1024 bits. Making such a key takes longer than switching, and many threads that each make one
    at the start of a batch take seconds.
    """

    def __init__(self) -> None:
        self.threads = ThreadPoolExecutor(
            MOST_THREADS, thread_name_prefix="passthrough"
        )  # started when needed
        self._lock = threading.Lock()
        self._key: rsa.RSAPrivateKey | None = None

    def key(self) -> rsa.RSAPrivateKey:
        """The key, made at the first call; later callers wait for it."""
        with self._lock:
            if self._key is None:
                self._key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505  see above
            return self._key


@functools.lru_cache(maxsize=1)
def _crew(_pid: int) -> _Crew:
    """The crew of this process; a forked child gets its own, because threads and locks do not survive a fork."""
    return _Crew()


class _P110(PyP110.P110):
    """PyP100's P110 with a deadline, without proxies, and with the cipher above."""

    def __init__(self, address: str, username: str, password: str) -> None:
        self.line = Session(address)
        self.is_logged_in = False
        super().__init__(address, username, password)  # type: ignore[no-untyped-call]

    @property
    def session(self) -> Session:
        """PyP100 reads its HTTP session here; what it puts here, a new `requests` session, is not used."""
        return self.line

    @session.setter
    def session(self, _session: object) -> None:
        """Keep ours."""

    def createKeyPair(self) -> None:  # noqa: N802  PyP100's name
        """Left to `log_in`, which runs in a thread."""

    def decode_handshake_key(self, key: str) -> _Cipher:
        secret = self._key.decrypt(base64.b64decode(key), padding.PKCS1v15())
        return _Cipher(secret[:16], secret[16:32])

    def log_in(self) -> None:
        """Both steps: one without the other is of no use."""
        self._key = _crew(os.getpid()).key()
        self.publicKey = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.handshake()  # type: ignore[no-untyped-call]
        self.login()  # type: ignore[no-untyped-call]
        self.is_logged_in = True

    def current_power(self) -> dict[str, Any]:
        """`get_current_power`, which PyP100 does not know. The whole envelope, as its siblings give it."""
        question = {"method": "get_current_power", "requestTimeMils": 0}
        reply = self.line.post(
            f"http://{self.ipAddress}/app?token={self.token}",
            json={
                "method": "securePassthrough",
                "params": {"request": self.tpLinkCipher.encrypt(json.dumps(question))},
            },
            headers={"Cookie": self.cookie},
        )
        envelope: dict[str, Any] = json.loads(self.tpLinkCipher.decrypt(reply.json()["result"]["response"]))
        return envelope


class PassthroughDriver(PlugDriver):
    """securePassthrough. The PyP100 object lives while it works; after a failure a new one logs in."""

    generation = "passthrough"

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._plug: _P110 | None = None

    def reset(self) -> None:
        if self._plug is not None:
            self._plug.line.close()
            self._plug = None

    async def _state(self) -> PlugReading:
        return reading_from_info(_result(await self._ask(_P110.getDeviceInfo)))

    async def _with_energy(self, reading: PlugReading) -> PlugReading:
        try:
            return with_usage(reading, _result(await self._ask(_P110.getEnergyUsage)))
        except DeviceRejected as error:
            if error.device_code != CLOCK_UNSET:
                raise
        return with_power(reading, _result(await self._ask(_P110.current_power)))

    async def _switch(self, on: bool) -> None:
        await self._ask(_P110.turnOn if on else _P110.turnOff)

    async def _ask(self, question: Callable[[_P110], Any]) -> Any:
        if self._plug is None:
            # A plug without mains fails here, in the event loop, and holds no thread.
            _, writer = await wire.connect(self.endpoint.address)
            writer.close()
            self._plug = _P110(self.endpoint.address, self.endpoint.username, self.endpoint.password)
        plug = self._plug
        plug.line.until = self._until
        plug.line.lend()
        work = _crew(os.getpid()).threads.submit(_ask, plug, question)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            if work.cancel():
                plug.line.settle()  # no thread ever took it
            plug.line.abort()  # a thread that holds it is woken, and closes the line itself
            self._plug = None
            raise


def _ask(plug: _P110, question: Callable[[_P110], Any]) -> Any:
    """Runs in a thread: ask, and when the session is over log in again once."""
    try:
        if not plug.is_logged_in:
            plug.log_in()
        try:
            return question(plug)
        except SessionLost:
            plug.log_in()
            return question(plug)
    except DriverError:
        raise
    except Exception as error:  # noqa: BLE001  PyP100 raises bare Exception and stumbles with KeyError, ValueError
        raise _stumble(error) from None
    finally:
        plug.line.settle()


def _stumble(error: Exception) -> DriverError:
    """PyP100 names a code in the text, or trips over a code it does not know: `KeyError('-1301')`."""
    found = re.fullmatch(r"(?:Error Code: )?'?(-?\d+)\b.*", str(error))
    if found:
        return error_from_code(int(found[1]))
    return BadReply(f"the plug's answer cannot be read ({type(error).__name__})")


def _result(envelope: Any) -> Mapping[str, Any]:
    """PyP100 hands out the whole envelope and does not look at its error code."""
    code = envelope.get("error_code") if isinstance(envelope, dict) else None
    if not isinstance(code, int):
        raise BadReply("the plug's answer has no error code")
    if code:
        raise error_from_code(code)
    result: Mapping[str, Any] = envelope.get("result") or {}
    return result
