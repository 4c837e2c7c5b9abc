"""IAM that decides: who calls, what is asked of what, and whether the policies allow it.

`evaluate` and `conditions` read policies (pure), `requests` tells the action and resources of a request,
`callers` finds the caller's policies in moto, `gate` stands before every request.
"""
