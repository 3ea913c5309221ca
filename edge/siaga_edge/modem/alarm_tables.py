"""The tables of `Duty` and `Rises` in the modem's journal file."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS alarm (
    code TEXT PRIMARY KEY,
    report_id TEXT NOT NULL,
    party TEXT NOT NULL,
    priority TEXT NOT NULL,
    state TEXT NOT NULL,
    text TEXT NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    boot TEXT NOT NULL, boot_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
    told_boot TEXT NOT NULL DEFAULT '', told_boot_ns INTEGER NOT NULL DEFAULT 0,
    told_wall_ns INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alarm_party ON alarm (party, wall_ns);
CREATE TABLE IF NOT EXISTS alarm_told (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    wall_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS alarm_back (
    code TEXT NOT NULL,
    number TEXT NOT NULL,
    id TEXT NOT NULL,
    wall_ns INTEGER NOT NULL,
    PRIMARY KEY (code, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarm_untaken (code TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarm_asked (
    id TEXT PRIMARY KEY,
    number TEXT NOT NULL,
    wall_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarm_answer (
    report_id TEXT PRIMARY KEY,
    wall_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarm_rise (
    code TEXT NOT NULL,
    rise INTEGER NOT NULL,
    kind TEXT NOT NULL,
    words TEXT NOT NULL,
    also TEXT NOT NULL,
    boot TEXT NOT NULL, boot_ns INTEGER NOT NULL, wall_ns INTEGER NOT NULL,
    PRIMARY KEY (code, rise)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarm_heard (
    code TEXT NOT NULL,
    number TEXT NOT NULL,
    rise INTEGER NOT NULL,
    PRIMARY KEY (code, number)
) STRICT, WITHOUT ROWID
"""
