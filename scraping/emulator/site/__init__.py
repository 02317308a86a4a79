"""The emulated store's web pages, in the real ones' shapes. Pure."""
