"""The tables of alerts and of their deliveries, in the database of the registry."""

from sqlalchemy import Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

from core.database import Instant

METADATA = MetaData()

# The instants of an alert are those at which runs believed to stand; those of a delivery are of the clock.
ALERTS = Table(
    "alerts",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("project", String(128), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", Text, nullable=False),
    Column("severity", String(8), nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("link", Text, nullable=False),
    Column("first_seen", Instant, nullable=False),
    Column("last_seen", Instant, nullable=False),
    Column("count", Integer, nullable=False),
    Column("closed_at", Instant),
)
Index("alerts_of_a_kind", ALERTS.c.project, ALERTS.c.kind)

# An alert that became graver is sent again, so the severity is part of the key.
DELIVERIES = Table(
    "alert_deliveries",
    METADATA,
    Column("alert", ForeignKey(ALERTS.c.number), primary_key=True),
    Column("route", String(256), primary_key=True),
    Column("severity", String(8), primary_key=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("claimed_by", String(32)),
    Column("claimed_until", Instant),
    Column("due_at", Instant),
    Column("sent_at", Instant),
    Column("failed", Text),
)
