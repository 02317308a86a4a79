"""A store of our own that answers in the real one's shapes, and does what it is told."""
