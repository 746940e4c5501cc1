"""A task call as data: the signature's plain-dict form on the wire (wire.md 3)."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from kernel.errors import InvalidTaskError


class SignatureDict(TypedDict):
    """What travels in ``callbacks``, ``errbacks``, ``chain`` and ``chord``."""

    task: str
    args: Sequence[Any]
    kwargs: dict[str, Any]
    options: dict[str, Any]
    subtask_type: str | None
    immutable: bool
    chord_size: NotRequired[int]
    """Of the body of a chord: members of the header; clients that leave it out announce it elsewhere (wire.md 11)."""


def read_signature(value: object) -> SignatureDict:
    """Check a decoded signature and fill in what old or foreign clients leave out.

    Raises:
        InvalidTaskError: when it is no mapping, has no task name, or a part has a wrong type.
    """
    if not isinstance(value, Mapping):
        raise InvalidTaskError(f"A signature must be a mapping, not {type(value).__name__}: {value!r:.80}")
    task, args, kwargs, options = value.get("task"), value.get("args"), value.get("kwargs"), value.get("options")
    if not isinstance(task, str) or not task:
        raise InvalidTaskError(f"A signature needs the name of its task, got {task!r:.80}")
    if not isinstance(args or (), (list, tuple)):
        raise InvalidTaskError(f"The args of signature {task} must be a list, not {type(args).__name__}")
    if not isinstance(kwargs or {}, Mapping) or not isinstance(options or {}, Mapping):
        raise InvalidTaskError(f"The kwargs and options of signature {task} must be mappings")
    signature = SignatureDict(
        task=task,
        args=tuple(args or ()),
        kwargs=dict(kwargs or {}),
        options=dict(options or {}),
        subtask_type=value.get("subtask_type"),
        immutable=bool(value.get("immutable", False)),
    )
    if isinstance(value.get("chord_size"), int):
        signature["chord_size"] = value["chord_size"]
    return signature


def with_partial(signature: SignatureDict, args: Sequence[object]) -> SignatureDict:
    """The signature called with a parent's value: ``args`` go first, unless it is immutable (features.md 1.2)."""
    if signature["immutable"]:
        return signature
    return {**signature, "args": (*args, *signature["args"])}


def plain(value: Any) -> Any:
    """Signatures as plain dicts and lists all the way down, which every serializer can carry."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
