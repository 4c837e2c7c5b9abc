"""What type each field of a request's body has. GitHub checks that before it looks at the meaning.

Source: GitHub REST API, the "Body parameters" of its reference. A name means the same in every route, with
one exception: `tree` is a list where a tree is made and a sha where a commit is.
"""

from __future__ import annotations

from typing import Any

from delivery.sandbox.github.errors import GitHubError

_WORDS = {str: "a string", bool: "a boolean", dict: "an object", list: "an array"}
_STRINGS = (
    "name", "title", "body", "head", "base", "ref", "sha", "state", "context", "description", "target_url",
    "environment", "task", "message", "content", "branch", "tag", "object", "type", "event", "color",
    "default_branch", "merge_method", "commit_title", "commit_message", "commit_id", "status", "conclusion",
    "head_sha", "encoding", "base_tree", "log_url", "environment_url", "expected_head_sha", "details_url",
    "external_id", "started_at", "completed_at", "state_reason",
)  # fmt: skip
_FLAGS = (
    "auto_merge", "active", "private", "auto_init", "force", "draft", "transient_environment",
    "production_environment", "auto_inactive", "allow_force_pushes",
)  # fmt: skip
_LISTS = (
    "required_contexts", "parents", "reviewers", "labels", "events", "add_events", "remove_events",
    "assignees",
)  # fmt: skip
_OBJECTS = ("author", "committer", "tagger", "config", "output")
#: What a list holds where it is not texts: labels may be objects with a name.
_ITEMS: dict[str, tuple[type, ...]] = {"labels": (str, dict)}

TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_STRINGS, (str,)), **dict.fromkeys(_FLAGS, (bool,)), **dict.fromkeys(_LISTS, (list,)),
    **dict.fromkeys(_OBJECTS, (dict,)), "tree": (list, str), "payload": (dict, str),
}  # fmt: skip


def check(body: Any) -> None:
    """422 for the first field of the wrong type. `null` is for the route to judge: often it is no value."""
    if isinstance(body, list):
        body = {"labels": body}
    for name, value in body.items():
        wanted = TYPES.get(name)
        if wanted is None or value is None:
            continue
        if not isinstance(value, wanted):
            raise _wrong(name, value, wanted)
        for item in value if isinstance(value, list) and name in _LISTS else ():
            if not isinstance(item, _ITEMS.get(name, (str,))):
                raise _wrong(name, item, _ITEMS.get(name, (str,)))
        if name in ("author", "committer", "tagger"):
            _check_person(name, body[name])
    text = "".join(value for name, value in body.items() if isinstance(value, str) and name not in _FREE)
    if "\0" in text:
        raise GitHubError(422, "Invalid request.\n\nA null byte is in a place where none can be.")


def _check_person(name: str, person: dict[str, Any]) -> None:
    for part in ("name", "email", "date"):
        if not isinstance(person.get(part, ""), str):
            raise _wrong(f"{name}/{part}", person[part], (str,))


#: Texts of which nothing is ever made but text.
_FREE = frozenset({"content", "body", "description"})


def _wrong(name: str, value: Any, wanted: tuple[type, ...]) -> GitHubError:
    words = " or ".join(_WORDS[kind] for kind in wanted)
    return GitHubError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r} is not {words}.")
