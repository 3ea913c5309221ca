"""The journal's tables. The epoch is made with the file: a new card restarts the count under a new name.

The newest number of a lane is that of its newest record, or what `tally` kept when records were dropped: a
counter of its own would cost every record a second page on the card.
"""

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE record (
    lane TEXT NOT NULL CHECK (lane IN ('urgent', 'bulk')),
    seq INTEGER NOT NULL CHECK (seq > 0),
    kind TEXT NOT NULL,
    at TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (lane, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE tally (lane TEXT PRIMARY KEY, last_seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""
OWN_TABLES = ("meta", "record", "tally")
LAST_SEQ = """
SELECT max(
    ifnull((SELECT last_seq FROM tally WHERE lane = :lane), 0),
    ifnull((SELECT max(seq) FROM record WHERE lane = :lane), 0)
)
"""
