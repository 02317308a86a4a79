"""Independent judges of feeds."""

from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree


@cache
def _schema() -> Any:
    return etree.RelaxNG(etree.parse(Path(__file__).with_name("atom.rng")))


def atom_errors(body: bytes) -> list[str]:
    """What is wrong with an Atom feed by our schema of it (tests/atom.rng)."""
    tree = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    schema = _schema()
    return [] if schema.validate(tree) else [str(error) for error in schema.error_log]
