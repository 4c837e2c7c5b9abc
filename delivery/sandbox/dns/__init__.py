"""Route 53: changes that take time, and a server that answers what is in sync.

`batch` decides what a ChangeResourceRecordSets does, `changes` when it is seen, `answer` what a question is
answered; `server` listens. The API's side is `delivery.sandbox.patches.route53`.
"""

from delivery.sandbox.dns.changes import Change, DnsChanges
from delivery.sandbox.dns.server import DnsServer

#: The changes of this process: the API submits to it, the DNS server reads from it.
CHANGES = DnsChanges()

__all__ = ["CHANGES", "Change", "DnsChanges", "DnsServer"]
