"""A server that says exactly what a test tells it to, byte by byte."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def scripted(*answers: bytes) -> Iterator[str]:
    """Answer the first request of each connection with the next of `answers`, close, and give the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5)

    def serve() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(5)
        listener.close()


def http(status: int, body: bytes, *headers: str) -> bytes:
    """One HTTP answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
