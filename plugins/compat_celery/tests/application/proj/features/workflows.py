"""1.26 canvas, 1.27 what to keep to."""

import uuid

from celery import chain, chord, group, signature
from celery.canvas import Signature, maybe_signature
from proj import tasks
from proj.celery import app
from proj.features.calling import T, raised
from proj.notes import wait_for
from proj.tasks import add, mul, xsum


def canvas():
    sig = add.signature((2, 5), countdown=10)
    numbers = group(add.s(i, i) for i in range(10))()
    steps = chain(add.s(4, 4) | mul.s(8))()
    body = chord([add.s(i, i) for i in range(5)])(xsum.s())
    failing = chord([add.s(1, 1), tasks.fail.s("member")])(xsum.s())
    error = failing.get(timeout=T, propagate=False)
    upgraded = (group(add.s(i, i) for i in range(3)) | xsum.s())()
    partial = add.s(2)
    nested = chain(add.s(1, 1), group(add.s(1), mul.s(3)), xsum.s())()
    chunks = add.chunks(((i, i) for i in range(6)), 3)()
    return {
        "repr": [repr(sig), repr(add.s(2, 2)), repr(add.s(4, 4) | mul.s(8)), repr(group([add.s(1, 1), add.s(2, 2)]))],
        "options": dict(sig.options),
        "a dict": [sig["task"], list(sig["args"]), isinstance(sig, dict), isinstance(sig, Signature)],
        "from a dict": signature(dict(add.s(1, 2)), app=app).delay().get(timeout=T),
        "maybe": [maybe_signature(None), maybe_signature(dict(add.s(1, 1)), app=app).task],
        "group": numbers.get(timeout=T),
        "group result": [len(numbers), numbers.completed_count(), numbers.successful(), type(numbers).__name__],
        "chain": steps.get(timeout=T),
        "parents": [steps.parent.get(timeout=T), steps.parent.parent],
        "operator": (add.s(1, 1) | mul.s(5) | add.s(1))().get(timeout=T),
        "chord": body.get(timeout=T),
        "chord error": [type(error).__name__, "ValueError" in str(error)],
        "upgraded": upgraded.get(timeout=T),
        "nested": nested.get(timeout=T),
        "partial": partial.delay(4).get(timeout=T),
        "immutable": (add.s(1, 1) | add.si(5, 5))().get(timeout=T),
        "clone": [list(add.s(2).clone((9,)).args), add.s(1).set(queue="x").options],
        "map": xsum.map([[1, 2], [3]]).delay().get(timeout=T),
        "starmap": add.starmap([(1, 2), (3, 4)]).delay().get(timeout=T),
        "chunks": chunks.get(timeout=T),
        "tilde": ~add.s(2, 2),
        "countdown": add.s(1, 1).apply_async(countdown=0.2).get(timeout=T),
        "link": add.s(1, 1).set(link=add.s(10)).apply_async().get(timeout=T),
        "empty group": raised(group().apply_async) is None,
    }


def best_practices():
    subject = f"pages-{uuid.uuid4()}"
    steps = tasks.fetch_page.s("http://x") | tasks.parse_page.s() | tasks.store_page_info.s("http://x", subject)
    steps()
    return {"chain instead of waiting": wait_for(subject)}
