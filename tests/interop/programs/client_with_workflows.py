"""The client of the other tests, with workflows of any form, built with the calling API of its library."""

import client
from interop_app import SIDE, app, chain, chord, group, signature

if SIDE == "celery":
    from celery.canvas import xmap, xstarmap
else:
    from kernel import xmap, xstarmap

MAPS = {"map": xmap, "starmap": xstarmap}


def built(tree):
    """An expression from its tree: ``[kind, parts...]``; a task is ``["task", name, queue, args]``."""
    kind, *parts = tree
    if kind == "task":
        name, queue, args = parts
        return signature(name, args=tuple(args), app=app, queue=queue)
    if kind == "chord":
        header, body = parts
        return chord([built(part) for part in header], built(body))
    if kind in MAPS:
        task, items = parts
        return MAPS[kind](built(task), items, app=app).set(queue=task[2])
    return {"chain": chain, "group": group}[kind](*[built(part) for part in parts])


def outcome(result):
    """Its value, or how it failed and whose result that is."""
    try:
        return {"value": result.get(timeout=30)}
    except Exception as error:
        return {"error": type(error).__name__, "text": str(error), "id": result.id}


class Client(client.Client):
    """The commands, and two more."""

    def workflow(self, tree, told=None):
        """Run an expression; how it ended."""
        (found,) = self.workflows([tree], told)
        return found

    def workflows(self, trees, told=None):
        """Run expressions, all at the same time; how each ended."""
        results = []
        for tree in trees:
            whole = built(tree)
            if told is not None:
                whole.link_error(built(told))
            results.append(whole.apply_async())
        return [outcome(result) for result in results]


if __name__ == "__main__":
    client.Client = Client
    client.main()
