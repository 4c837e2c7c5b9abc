"""The services of this installation, one folder each with a defs.yaml."""
