"""Before every request: is the caller somebody, and may they do that?

Signatures are not checked, only whose access key they name: this tries policies, it is no protection.
Sources: IAM user guide, "Policy evaluation logic", "Troubleshoot access denied error messages"; API reference
of each service, "Common errors".
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel
from moto.core.request import determine_request_protocol
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

from delivery.sandbox.clock import CLOCK
from delivery.sandbox.iam import callers
from delivery.sandbox.iam.callers import ROOT_KEY, Backend, Caller, UnknownCallerError
from delivery.sandbox.iam.evaluate import Asked, Decision, Policy, decide, effects, named_directly
from delivery.sandbox.iam.requests import Call, access_key, read
from delivery.sandbox.iam.resources import asked_of

#: Asked of anybody who is somebody. Source: STS API reference, GetCallerIdentity ("No permissions").
_FREE = {"sts:GetCallerIdentity", "sts:GetSessionToken"}
#: What a bucket's policy cannot deny the account's root user. Source: S3 API reference, PutBucketPolicy.
_ROOTS = {"s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"}
#: Codes of a refusal and of credentials that are not good, where a protocol's own do not apply.
#: CloudWatch and SQS speak JSON and keep the codes of the query protocol.
_DENIED = {
    "ec2": "UnauthorizedOperation", "sns": "AuthorizationError",
    "cloudwatch": "AccessDenied", "sqs": "AccessDenied",
}  # fmt: skip
_EXPIRED = {"ec2": "RequestExpired"}


class Refusal(ServiceException):
    """A request that is not answered by its service."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(code, message)
        self.status_code = status


class Gate:
    """`enforced`: policies decide. Otherwise only expired and mismatched session credentials are refused."""

    def __init__(self, account: str, enforced: bool, backend: Backend) -> None:
        self.account, self._enforced, self._backend = account, enforced, backend

    def refusal(self, environ: Mapping[str, Any], body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        """Status, headers and body of the answer to a request that may not be done; None: go on.

        Hold moto's lock.
        """
        root = access_key(environ) == ROOT_KEY
        if not self._enforced and root and not any(b.policy for b in self._buckets().values()):
            return None  # nothing to look for: most requests of most sandboxes
        call = read(environ, body)
        if call is None:
            return None
        try:
            self._check(call, environ)
        except Refusal as refusal:
            return _answer(call, refusal, environ)
        return None

    def _check(self, call: Call, environ: Mapping[str, Any]) -> None:
        try:
            caller = callers.find(call.key, call.token, self.account, self._backend)
        except UnknownCallerError as error:
            if self._enforced or str(error) != "unknown":
                raise _unknown(call, str(error), environ) from None
            return
        if call.action in _FREE or (call.key == ROOT_KEY and call.action in _ROOTS):
            return
        if not self._enforced:
            self._denied_by_bucket(call, caller, environ)
            return
        for asked in asked_of(call, self, {**_of_request(call, environ), **caller.context}):
            self._decide(call, caller, asked, environ)
        self._hide_missing(call, caller, environ)

    def _decide(self, call: Call, caller: Caller, asked: Asked, environ: Mapping[str, Any]) -> None:
        if call.service == "sts" and call.operation == "AssumeRole":
            decision = self._trusted(caller, asked)
        else:
            decision = decide(asked, caller.policies, self._bucket_policy(asked))
        if not decision.allowed:
            raise _denied(call, caller, asked, decision, environ)

    def _trusted(self, caller: Caller, asked: Asked) -> Decision:
        """Whether a role may be assumed: its trust policy must say so, and the caller's own unless named.

        Source: IAM user guide, "How to use trust policies with IAM roles".
        """
        try:
            role = self._backend("iam").get_role_by_arn(asked.resource)
        except ServiceException:
            return Decision("implicitDeny")
        trust = callers.read(role.assume_role_policy_document)
        said = effects(Asked(asked.action, "*", asked.context), [trust], of_resource=True)
        if "Deny" in said:
            return Decision("explicitDeny", "with an explicit deny in the role trust policy")
        if "Allow" not in said:
            return Decision("implicitDeny", "because no role trust policy allows the sts:AssumeRole action")
        return decide(asked, caller.policies, trust if named_directly(trust, asked) else None)

    def _denied_by_bucket(self, call: Call, caller: Caller, environ: Mapping[str, Any]) -> None:
        """A bucket's policy denies whether or not IAM's decide."""
        for asked in asked_of(call, self, {**_of_request(call, environ), **caller.context}):
            policy = self._bucket_policy(asked)
            if policy is not None and "Deny" in effects(asked, [policy], of_resource=True):
                told = Decision("explicitDeny", "with an explicit deny in a resource-based policy")
                raise _denied(call, caller, asked, told, environ)

    def _buckets(self) -> dict[str, Any]:
        found: dict[str, Any] = self._backend("s3").buckets
        return found

    def _bucket_policy(self, asked: Asked) -> Policy | None:
        if not asked.resource.startswith("arn:aws:s3:::"):
            return None
        bucket = self._buckets().get(asked.resource.removeprefix("arn:aws:s3:::").split("/")[0])
        return callers.read(bucket.policy) if bucket is not None and bucket.policy else None

    def _hide_missing(self, call: Call, caller: Caller, environ: Mapping[str, Any]) -> None:
        """Who may not list a bucket is not told that an object is missing. Source: S3 API, GetObject."""
        if call.action != "s3:GetObject":
            return
        bucket = self._buckets().get(str(call.params.get("Bucket")))
        if bucket is None or str(call.params.get("Key")) in bucket.keys:
            return
        context = {**_of_request(call, environ), **caller.context}
        asked = Asked("s3:ListBucket", f"arn:aws:s3:::{bucket.name}", context)
        self._decide(call, caller, asked, environ)

    def key(self, identifier: str) -> tuple[str, list[str]]:
        """A KMS key's ARN and its aliases, by id, alias or ARN."""
        kms = self._backend("kms")
        name = identifier.rsplit(":", 1)[-1].removeprefix("key/")
        if name.startswith("alias/"):
            name = kms.get_key_id_from_alias(name) or name
        if name not in kms.keys:
            return identifier, []
        return kms.keys[name].arn, list(kms.key_to_aliases.get(name, ()))

    def secret(self, identifier: str) -> str:
        """A secret's ARN, by name or ARN."""
        found = self._backend("secretsmanager").secrets.get(identifier)
        return str(found.arn) if found is not None else identifier


def _of_request(call: Call, environ: Mapping[str, Any]) -> dict[str, list[str]]:
    """Global condition keys of a request. Loopback stands for TLS here: SecureTransport is true."""
    now = CLOCK.now()
    return {
        "aws:requestedregion": [call.region],
        "aws:sourceip": [str(environ.get("REMOTE_ADDR") or "127.0.0.1")],
        "aws:securetransport": ["true"],
        "aws:useragent": [str(environ.get("HTTP_USER_AGENT") or "")],
        "aws:currenttime": [datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")],
        "aws:epochtime": [str(int(now))],
        "aws:viaawsservice": ["false"],
    }


def _json(call: Call, environ: Mapping[str, Any]) -> bool:
    return bool(environ.get("HTTP_X_AMZ_TARGET") or environ.get("HTTP_SMITHY_PROTOCOL"))


def _denied(
    call: Call, caller: Caller, asked: Asked, decision: Decision, environ: Mapping[str, Any]
) -> Refusal:
    """AWS's sentence. S3 and STS and the query protocol say AccessDenied, JSON ones AccessDeniedException."""
    code = _DENIED.get(call.service) or ("AccessDeniedException" if _json(call, environ) else "AccessDenied")
    told = f"User: {caller.arn} is not authorized to perform: {asked.action}"
    if asked.resource != "*" or call.service != "ec2":
        told += f" on resource: {asked.resource}"
    status = 400 if code == "AccessDeniedException" else 403
    return Refusal(code, f"{told} {decision.why}".strip(), status)


def _unknown(call: Call, why: str, environ: Mapping[str, Any]) -> Refusal:
    json = _json(call, environ)
    if why == "expired":
        code = _EXPIRED.get(call.service) or ("ExpiredTokenException" if json else "ExpiredToken")
        told = "The security token included in the request is expired"
        if call.service == "s3":
            told = "The provided token has expired."
        return Refusal(code, told, 400 if json or call.service == "s3" else 403)
    if call.service == "s3":
        known = "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."
        return Refusal(*(known if why == "unknown" else ("InvalidToken", "The provided token is malformed or "
                                                          "otherwise invalid.")))  # fmt: skip
    code = "UnrecognizedClientException" if json else "InvalidClientTokenId"
    return Refusal(code, "The security token included in the request is invalid.", 400 if json else 403)


def _answer(call: Call, refusal: Refusal, environ: Mapping[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """The refusal in the request's protocol, written by moto's serializer."""
    model = get_service_model(call.model)
    try:
        operation = model.operation_model(call.operation)
    except OperationNotFoundError:
        operation = OperationModel({}, model)
    protocol = determine_request_protocol(model, environ.get("CONTENT_TYPE"))
    written = get_serializer_class(model.service_name, protocol)(operation_model=operation).serialize(refusal)
    body = written["body"] if environ.get("REQUEST_METHOD") != "HEAD" else b""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    headers = {**{k: str(v) for k, v in written["headers"].items()}, "Content-Length": str(len(raw))}
    return refusal.status_code, headers, raw


Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def gated(application: Wsgi, gate: Gate) -> Wsgi:
    """The application behind the gate. Call it with moto's lock held and the body read into memory."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ["wsgi.input"]
        refused = gate.refusal(environ, given.getvalue() if isinstance(given, io.BytesIO) else b"")
        if refused is None:
            return application(environ, start_response)
        status, headers, body = refused
        start_response(f"{status} Refused", list(headers.items()))
        return [body]

    return answer
