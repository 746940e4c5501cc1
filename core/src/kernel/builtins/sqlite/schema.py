"""The tables of the file, their version, and how a new file gets them."""

import sqlite3

from kernel.errors import Code, DriverError

APPLICATION_ID = 0x6B726E6C
"""Marks the file as one of ours ("krnl")."""
VERSION = 2

TABLES = (
    "CREATE TABLE topology (version INTEGER NOT NULL)",
    "INSERT INTO topology VALUES (1)",
    # 'used' is when a queue with expires_s was last declared or consumed.
    """CREATE TABLE queue (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, spec TEXT NOT NULL,
        owner INTEGER, implied INTEGER NOT NULL, used REAL NOT NULL)""",
    "CREATE TABLE exchange (name TEXT PRIMARY KEY, type TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE binding (
        exchange TEXT NOT NULL, routing_key TEXT NOT NULL, queue INTEGER NOT NULL,
        PRIMARY KEY (exchange, routing_key, queue)) WITHOUT ROWID""",
    # 'visible' is when the message may be delivered: publishing time, or the end of its lease.
    """CREATE TABLE message (
        id INTEGER PRIMARY KEY, visible REAL NOT NULL, claim INTEGER NOT NULL, deliveries INTEGER NOT NULL,
        uncounted INTEGER NOT NULL, expires REAL, home INTEGER, reason TEXT, origin TEXT,
        meta TEXT NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX message_expires ON message (expires) WHERE expires IS NOT NULL",
    """CREATE TABLE dedup (
        queue INTEGER NOT NULL, id TEXT NOT NULL, until REAL NOT NULL, PRIMARY KEY (queue, id)) WITHOUT ROWID""",
    "CREATE INDEX dedup_until ON dedup (until)",
    # A live owner holds a lock on the file beside the database that its nonce names.
    "CREATE TABLE owner (id INTEGER PRIMARY KEY, nonce TEXT NOT NULL)",
    """CREATE TABLE result (
        id TEXT NOT NULL PRIMARY KEY, status TEXT NOT NULL, ends REAL, result BLOB, fields TEXT NOT NULL)""",
    "CREATE INDEX result_ends ON result (ends) WHERE ends IS NOT NULL",
    "CREATE TABLE counter (key TEXT PRIMARY KEY, value INTEGER NOT NULL, ends REAL) WITHOUT ROWID",
    "CREATE INDEX counter_ends ON counter (ends) WHERE ends IS NOT NULL",
    # 'claimed' is when the winner's claim ends; 'done' once it said joined: the members' payloads are gone then.
    """CREATE TABLE fanin (
        key TEXT PRIMARY KEY, size INTEGER NOT NULL, count INTEGER NOT NULL, claimed REAL NOT NULL,
        done INTEGER NOT NULL, ends REAL) WITHOUT ROWID""",
    "CREATE INDEX fanin_ends ON fanin (ends) WHERE ends IS NOT NULL",
    """CREATE TABLE fanin_member (
        key TEXT NOT NULL, member TEXT NOT NULL, payload BLOB NOT NULL, PRIMARY KEY (key, member)) WITHOUT ROWID""",
)


def ensure(connection: sqlite3.Connection, path: str) -> None:
    """Give an empty file its tables. Several processes may try at once: one does it, the others find it done.

    Raises:
        DriverError: CONFLICT when the file is another program's, or of a later version of ours.
        sqlite3.Error: for anything the file system does, or when it is another process's turn.
    """
    connection.execute("BEGIN")
    there = _check(connection, path)
    connection.execute("COMMIT")
    if there:
        return
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    if not _check(connection, path):
        for statement in TABLES:
            connection.execute(statement)
        connection.execute("PRAGMA application_id = 1802661484")  # APPLICATION_ID; a pragma takes no parameter
        connection.execute("PRAGMA user_version = 2")  # VERSION
    connection.execute("COMMIT")


def _check(connection: sqlite3.Connection, path: str) -> bool:
    """Whether the file already has our tables; False for an empty one. Within a transaction, so that it is one look."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application == APPLICATION_ID and version == VERSION:
        return True
    if application == 0 and version == 0 and tables == 0:
        return False
    if application == APPLICATION_ID:
        raise DriverError(
            Code.CONFLICT,
            f"{path} has format {version}; this version of kernel knows format {VERSION}",
            cure="Use the version of kernel that wrote the file, or another file.",
        )
    raise DriverError(
        Code.CONFLICT, f"{path} is a database of another program", cure="Name another file in the sqlite:// URL."
    )
