"""What users write, as pydantic models: one module per part of the file."""
