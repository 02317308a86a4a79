from tests.chaos.ways import ssrf


def test_no_trick_over_any_kind_of_channel_reaches_a_canary() -> None:
    """Proves the guards of the way out together; `python -m tests.chaos ssrf` is the long one."""
    figures = ssrf(messages=100)
    assert (figures["connections"], figures["slipped"]) == (0, [])
    assert figures["held"]
    assert figures["cases"] > 500
