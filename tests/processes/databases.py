"""Which PostgreSQL the tests may use, and databases of their own that are gone afterwards."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

DEFAULT_SERVER = "postgres://postgres@127.0.0.1:5432/postgres"
NO_SERVER = (
    "no PostgreSQL server answers at {url}: start one that may be used without a password, or name one in "
    "MYP_TEST_POSTGRES (postgres://user:password@host:port/database)"
)


def server_url() -> str:
    """The server that was named, or the usual one of a developer's machine."""
    return os.environ.get("MYP_TEST_POSTGRES") or DEFAULT_SERVER


@cache
def why_no_server() -> str:
    """Empty when the server answers; else why not, in plain words and without a password."""
    url = server_url()
    try:
        with psycopg.connect(_plain(url), connect_timeout=3):
            return ""
    except psycopg.Error:
        told = conninfo_to_dict(_plain(url))
        return NO_SERVER.format(url=f"{told.get('host', 'the local socket')}:{told.get('port', 5432)}")


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The URL of a new, empty database on the server; dropped at the end, whoever is still connected."""
    name = f"myp_test_{os.getpid()}_{secrets.token_hex(4)}"
    with psycopg.connect(_plain(server), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield _with_database(server, name)
    finally:
        with psycopg.connect(_plain(server), autocommit=True) as connection:
            for left in (name, f"test_{name}"):  # the second is what pytest-django makes beside it
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(left))
                )


def _plain(url: str) -> str:
    return make_conninfo(url.replace("postgres://", "postgresql://", 1))


def _with_database(url: str, name: str) -> str:
    head, _slash, _old = url.rpartition("/")
    return f"{head}/{name}"
