"""Each service's store-and-forward record: committed before it counts, one writer per file."""

from siaga_edge.journal.reader import JournalReader, StoredRecord
from siaga_edge.journal.writer import Journal

__all__ = ["Journal", "JournalReader", "StoredRecord"]
