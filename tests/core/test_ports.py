"""Free ports: different ones, free ones, the preferred ones first."""

import socket

import pytest

from core.supervision import ports
from core.supervision.ports import free_ports

pytestmark = pytest.mark.sockets


def test_no_port_comes_twice(monkeypatch):
    monkeypatch.setattr(ports, "RANGE", range(20000, 20050))
    found = free_ports(40)
    assert len(set(found)) == 40


def test_a_taken_port_is_not_given():
    [liked, other] = free_ports(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", liked))
        taken.listen()
        found = free_ports(2, preferred=[liked, other])
    assert found[0] == other
    assert liked not in found
    assert free_ports(1, preferred=[liked]) == [liked]


def test_too_few_is_an_error_not_a_short_list(monkeypatch):
    monkeypatch.setattr(ports, "RANGE", range(20000, 20002))
    with pytest.raises(OSError, match="fewer than 9"):
        free_ports(9)
