"""A check of the real store, by hand and never in CI: does it still behave as we believe?"""
