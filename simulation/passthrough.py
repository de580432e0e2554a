"""securePassthrough, the protocol of firmware before 1.3.0: RSA to agree on a key, then AES with a fixed iv."""

import base64
import binascii
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from simulation import aes
from simulation.device import UNKNOWN_METHOD, Quirks, answer, component_nego
from simulation.http import Request, Response, json_response
from simulation.plug import SimulatedPlug

WRONG_LOGIN = -1501
SESSION_EXPIRED = 9999
BAD_KEY = -1010


@dataclass(slots=True)
class _Session:
    key: bytes
    iv: bytes
    token: str = ""


class Passthrough:
    """The older plug's side of the wire."""

    def __init__(self, plug: SimulatedPlug, quirks: Quirks) -> None:
        self.plug = plug
        self.quirks = quirks
        self.password = plug.spec.password
        self._sessions: dict[str, _Session] = {}

    def forget_sessions(self) -> None:
        """Every session is gone, as after a restart of the plug."""
        self._sessions.clear()

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        if request.path != "/app":
            return Response(404)
        try:
            envelope = json.loads(request.body)
            method = envelope["method"]
        except (ValueError, KeyError, TypeError):
            return json_response({"error_code": -1003})
        if method == "component_nego":
            return json_response(component_nego())
        if method == "handshake":
            return self._handshake(envelope)
        if method == "securePassthrough":
            return self._passthrough(request, envelope)
        return json_response({"error_code": UNKNOWN_METHOD})

    def _handshake(self, envelope: dict[str, Any]) -> Response:
        self.plug.counters.handshakes += 1
        try:
            public = load_pem_public_key(envelope["params"]["key"].encode())
        except (ValueError, KeyError):
            return json_response({"error_code": BAD_KEY})
        if not isinstance(public, RSAPublicKey):
            return json_response({"error_code": BAD_KEY})
        session = _Session(secrets.token_bytes(16), secrets.token_bytes(16))
        session_id = secrets.token_hex(16).upper()
        self._sessions[session_id] = session
        sealed = public.encrypt(session.key + session.iv, padding.PKCS1v15())
        return json_response(
            {"error_code": 0, "result": {"key": base64.b64encode(sealed).decode()}},
            cookie=f"TP_SESSIONID={session_id};TIMEOUT=1440",
        )

    def _passthrough(self, request: Request, envelope: dict[str, Any]) -> Response:
        session = self._sessions.get(request.session_id)
        if session is None:
            return json_response({"error_code": SESSION_EXPIRED})
        try:
            sealed = base64.b64decode(envelope["params"]["request"])
            inner = json.loads(aes.decrypt(session.key, session.iv, sealed))
        except (ValueError, KeyError, binascii.Error):
            return json_response({"error_code": -1003})
        if inner.get("method") == "login_device":
            reply = self._login(session, inner.get("params", {}))
        elif not session.token or request.query != f"token={session.token}":
            return json_response({"error_code": SESSION_EXPIRED})
        else:
            reply = answer(self.plug, self.quirks, inner)
        sealed = aes.encrypt(session.key, session.iv, json.dumps(reply).encode())
        return json_response({"error_code": 0, "result": {"response": base64.b64encode(sealed).decode()}})

    def _login(self, session: _Session, params: dict[str, Any]) -> dict[str, Any]:
        self.plug.counters.logins += 1
        digest = hashlib.sha1(self.plug.spec.username.encode()).hexdigest()  # noqa: S324  the protocol's own choice
        username = base64.b64encode(digest.encode()).decode()
        password = base64.b64encode(self.password.encode()).decode()
        is_right = params.get("username") == username and params.get("password") == password
        if self.plug.is_locked or not is_right:
            self.plug.counters.failed_logins += 1
            return {"error_code": WRONG_LOGIN}
        session.token = secrets.token_hex(16).upper()
        return {"error_code": 0, "result": {"token": session.token}}
