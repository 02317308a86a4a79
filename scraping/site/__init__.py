"""Pages of the store's web site, taken apart. Pure, and surprised by nothing.

One bad field costs that field, one bad row that row, never the page.
"""
