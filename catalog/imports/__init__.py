"""Files that other programs keep of what somebody listens to, read into neutral rows. Pure."""
