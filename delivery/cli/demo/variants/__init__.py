"""The sample service's `app/behaviour.py`, as four commits in a row have it. Read as text, never imported."""
