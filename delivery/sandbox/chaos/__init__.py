"""Things that go wrong, on demand: see `delivery sandbox fault --help`.

services   the names of AWS's services, their operations, and the words they refuse with
wire       an error in the protocol of the request
signing    requests signed with a wrong clock
slots      a slot's tasks crash, leak memory, turn slow, answer errors
detour     the proxy between load balancer and task that makes them slow or answer errors
outages    the registry, Docker, DNS, the clock; and what is in force
"""
