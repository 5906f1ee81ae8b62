"""The books of the service: its metadata, its outbox and its keys of idempotency."""

from shared.store.idempotency import idempotency_table
from shared.store.identifiers import metadata_of
from shared.store.outbox import outbox_table
from shared.store.transaction import Bookkeeping

metadata = metadata_of("ingest")

outbox = outbox_table(metadata)
idempotency = idempotency_table(metadata)

BOOKS = Bookkeeping("ingest", idempotency=idempotency, outbox=outbox)
