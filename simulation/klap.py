"""KLAP v2, the protocol of firmware 1.3.0 and later: two handshakes over shared secrets, then numbered messages."""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass

from simulation import aes
from simulation.device import Quirks, answer
from simulation.http import Request, Response, json_response
from simulation.plug import SimulatedPlug

OTHER_GENERATION = 1003
_SEED = 16
_SIGNATURE = 32
_BINARY = "application/octet-stream"


def _sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def auth_hash(username: str, password: str) -> bytes:
    """What both sides know: made from the account, never sent."""
    user = hashlib.sha1(username.encode()).digest()  # noqa: S324  the protocol's own choice
    word = hashlib.sha1(password.encode()).digest()  # noqa: S324
    return _sha256(user, word)


@dataclass(slots=True)
class _Session:
    key: bytes
    iv: bytes
    signing: bytes
    sequence: int

    @classmethod
    def agree(cls, local: bytes, remote: bytes, auth: bytes) -> "_Session":
        vector = _sha256(b"iv", local, remote, auth)
        return cls(
            key=_sha256(b"lsk", local, remote, auth)[:16],
            iv=vector[:12],
            signing=_sha256(b"ldk", local, remote, auth)[:28],
            sequence=struct.unpack(">i", vector[-4:])[0],
        )

    def vector(self, number: int) -> bytes:
        return self.iv + struct.pack(">i", number)

    def sign(self, number: int, sealed: bytes) -> bytes:
        return _sha256(self.signing, struct.pack(">i", number), sealed)


class Klap:
    """The newer plug's side of the wire."""

    def __init__(self, plug: SimulatedPlug, quirks: Quirks) -> None:
        self.plug = plug
        self.quirks = quirks
        self.password = plug.spec.password
        self._greeted: dict[str, tuple[bytes, bytes]] = {}
        self._sessions: dict[str, _Session] = {}

    def forget_sessions(self) -> None:
        """Every session is gone, as after a restart of the plug."""
        self._greeted.clear()
        self._sessions.clear()

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        if request.path == "/app/handshake1":
            return self._handshake1(request)
        if request.path == "/app/handshake2":
            return self._handshake2(request)
        if request.path == "/app/request":
            return self._request(request)
        if request.path == "/app":
            return json_response({"error_code": OTHER_GENERATION})
        return Response(404)

    def _auth(self) -> bytes:
        return auth_hash(self.plug.spec.username, self.password)

    def _handshake1(self, request: Request) -> Response:
        if len(request.body) != _SEED:
            return Response(400)
        self.plug.counters.handshakes += 1
        remote = secrets.token_bytes(_SEED)
        session_id = secrets.token_hex(16).upper()
        self._greeted[session_id] = (request.body, remote)
        if len(self._greeted) > 8:
            self._greeted.pop(next(iter(self._greeted)))
        proof = _sha256(request.body, remote, self._auth())
        return Response(200, remote + proof, f"TP_SESSIONID={session_id};TIMEOUT=86400", _BINARY)

    def _handshake2(self, request: Request) -> Response:
        local, remote = self._greeted.pop(request.session_id, (b"", b""))
        auth = self._auth()
        self.plug.counters.logins += 1
        if not local or self.plug.is_locked or request.body != _sha256(remote, local, auth):
            self.plug.counters.failed_logins += 1
            return Response(403)
        self._sessions[request.session_id] = _Session.agree(local, remote, auth)
        return Response(200)

    def _request(self, request: Request) -> Response:
        session = self._sessions.get(request.session_id)
        number = _number(request.query)
        if session is None or number is None or number <= session.sequence:
            return Response(403)
        signature, sealed = request.body[:_SIGNATURE], request.body[_SIGNATURE:]
        if signature != session.sign(number, sealed):
            return Response(403)
        session.sequence = number
        try:
            inner = json.loads(aes.decrypt(session.key, session.vector(number), sealed))
        except ValueError:
            return Response(400)
        plain = json.dumps(answer(self.plug, self.quirks, inner)).encode()
        reply = aes.encrypt(session.key, session.vector(number), plain)
        return Response(200, session.sign(number, reply) + reply, content_type=_BINARY)


def _number(query: str) -> int | None:
    name, _, value = query.partition("=")
    try:
        return int(value) if name == "seq" else None
    except ValueError:
        return None
