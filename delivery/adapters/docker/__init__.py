"""Docker: gates in hardened containers, images built from a folder."""
