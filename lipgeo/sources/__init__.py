"""What Statistics Canada publishes for a census, what a job needs of it, and how to fetch it.

Names, addresses and what is known of sizes are in ``sources.toml``, each with its certainty.
"""

from __future__ import annotations

from lipgeo.sources.download import Fetched, Patience, fetch
from lipgeo.sources.needs import Held, Needed, held_by, need
from lipgeo.sources.table import (
    PublishedFile,
    boundary_file,
    identify,
    published_files,
    table_file,
)

__all__ = [
    "Fetched",
    "Held",
    "Needed",
    "Patience",
    "PublishedFile",
    "boundary_file",
    "fetch",
    "held_by",
    "identify",
    "need",
    "published_files",
    "table_file",
]
