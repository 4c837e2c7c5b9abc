"""`delivery demo`: a story told by the running system, with real traffic and real counts."""
