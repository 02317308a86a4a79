"""The guardian and its servers, for real: started, shared, killed, stopped."""
