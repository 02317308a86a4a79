"""The store's story, told twice: by the product, and by a model that says what must be told."""
