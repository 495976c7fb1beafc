"""A time limit for work on the database that holds even when the server, or the network, has gone silent."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper


def cut(database: BaseDatabaseWrapper) -> None:
    """End a session's socket from another thread: whoever waits on it gets an OperationalError at once.

    A cancel request or a statement timeout needs a server that still answers; this does not.
    """
    session: psycopg.Connection | None = database.connection
    if session is None or session.closed:
        return
    with socket.socket(fileno=os.dup(session.fileno())) as wire:
        try:
            wire.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # gone already


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Cut this thread's session if the block takes longer."""
    timer = threading.Timer(seconds, cut, [connections[DEFAULT_DB_ALIAS]])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
