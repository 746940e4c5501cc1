"""The client of the other tests, with workflows of any form, built with the calling API of its library."""

import client
from interop_app import SIDE, app, chain, group, signature

if SIDE == "celery":
    from celery import chord
else:
    from kernel import chord


def built(tree):
    """An expression from its tree: ``[kind, parts...]``; a task is ``["task", name, queue, args]``."""
    kind, *parts = tree
    if kind == "task":
        name, queue, args = parts
        return signature(name, args=tuple(args), app=app, queue=queue)
    if kind == "chord":
        header, body = parts
        return chord([built(part) for part in header], built(body))
    return {"chain": chain, "group": group}[kind](*[built(part) for part in parts])


class Client(client.Client):
    """The commands, and one more."""

    def workflow(self, tree, told=None):
        """Run an expression; its value, or how it failed and whose result that is."""
        whole = built(tree)
        if told is not None:
            whole.link_error(built(told))
        result = whole.apply_async()
        try:
            return {"value": result.get(timeout=30)}
        except Exception as error:
            return {"error": type(error).__name__, "text": str(error), "id": result.id}


if __name__ == "__main__":
    client.Client = Client
    client.main()
