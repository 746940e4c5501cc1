"""A client that does what it is told: one JSON command a line on stdin, one JSON answer a line on stdout.

The same program drives both libraries (INTEROP_SIDE): what it uses of the calling API is spelled alike in both.
"""

import json
import sys
import traceback

import interop_errors
from interop_app import app, chain, chord, group, signature


class Client:
    """The commands."""

    def __init__(self):
        self.results = {}

    def send(self, name, args=(), kwargs=None, options=None):
        """Call a task; its id."""
        result = app.send_task(name, tuple(args), kwargs or {}, **linked(options or {}))
        self.results[result.id] = result
        return result.id

    def send_protocol_1(self, name, args, queue):
        """Call a task with a message of the old protocol; Celery's side only."""
        app.amqp.task_protocols, kept = {2: app.amqp.as_task_v1}, app.amqp.task_protocols
        app.amqp.__dict__.pop("create_task_message", None)
        try:
            return self.send(name, args, options={"queue": queue})
        finally:
            app.amqp.task_protocols = kept
            app.amqp.__dict__.pop("create_task_message", None)

    def chain(self, steps):
        """Call the steps one after the other; the id of the last."""
        result = chain(*[signature(step) for step in steps]).apply_async()
        self.results[result.id] = result
        return result.id

    def group(self, members):
        """Call the members beside each other; their ids."""
        found = group([signature(member) for member in members]).apply_async()
        self.results.update({result.id: result for result in found.results})
        return [result.id for result in found.results]

    def control(self, method, node, arguments=None, timeout=20):
        """Have a worker do a command of remote control; its answer, None when there is none."""
        replies = app.control.broadcast(method, arguments=arguments, destination=[node], reply=True, timeout=timeout)
        return replies[0][node] if replies else None

    def outcome(self, task_id, timeout=30):
        """How a task ended."""
        result = self.results[task_id]
        try:
            value = result.get(timeout=timeout)
        except Exception as error:
            return {"state": result.state, "error": described(error), "traceback": result.traceback}
        children = [child.id for child in result.children or ()]
        return {"state": result.state, "value": value, "children": children}

    def states(self, task_id, timeout=30):
        """Every state that was seen, with its meta, up to the end."""
        seen = []
        value = self.results[task_id].get(timeout=timeout, on_message=seen.append)
        return {"value": value, "seen": [[one["status"], one["result"]] for one in seen]}

    def known(self, task_id):
        """The state of a task as far as it is known, without waiting."""
        return self.results[task_id].state

    def stored(self, task_id):
        """What is stored of a task that anybody may have sent, read by its id alone."""
        result = app.AsyncResult(task_id)
        found = result.result
        fields = ("name", "args", "kwargs", "retries", "queue", "worker", "traceback", "state")
        return {
            **{field: getattr(result, field) for field in fields},
            "result": described(found) if isinstance(found, BaseException) else found,
            "done": result.date_done is not None,
            "exists": result.exists(),
        }

    def wait(self, task_id, timeout=30):
        """The value of a task that anybody may have sent; its exception is raised."""
        return app.AsyncResult(task_id).get(timeout=timeout, interval=0.05)

    def forget(self, task_id):
        """Remove what is stored."""
        app.AsyncResult(task_id).forget()

    def chord(self, members, body):
        """Call the members beside each other, and the body with their values; the id of the body."""
        result = chord([signature(member) for member in members])(signature(body))
        self.results[result.id] = result
        return result.id

    def save_group(self, members):
        """Call the members beside each other and save which they are; the id of the group."""
        found = group([signature(member) for member in members]).apply_async()
        found.save()
        return found.id

    def restore_group(self, group_id, timeout=30):
        """The values of a group that anybody may have saved, in order; None when none is saved under that id."""
        found = app.GroupResult.restore(group_id)
        if isinstance(found, list):  # what Celery restores from MongoDB, where it keeps the ids only
            return [group_id, [one.get(timeout=timeout) for one in found]]
        return None if found is None else [found.id, found.get(timeout=timeout)]

    def delete_group(self, group_id):
        """Forget which results belong to a group."""
        found = app.GroupResult.restore(group_id)
        if isinstance(found, list):
            app.backend.delete_group(group_id)
        else:
            found.delete()

    def raw(self, queue, body, headers, properties):
        """Publish any bytes, past all that the library would say to them; Celery's side only."""
        with app.connection_for_write() as connection:
            channel = connection.default_channel
            message = channel.prepare_message(
                body.encode("latin-1"),
                content_type=properties.pop("content_type", None),
                content_encoding=properties.pop("content_encoding", None),
                headers=headers,
                properties=properties,
            )
            channel.basic_publish(message, exchange="", routing_key=queue)
            channel.close()  # the answer comes after the message was taken

    def declare(self, queue):
        """Have the library declare a queue as it does before it publishes to it; Celery's side only."""
        with app.connection_for_write() as connection:
            app.amqp.queues[queue](connection.default_channel).declare()

    def take(self, queue):
        """The oldest message of a queue as it came over the wire, None when there is none; Celery's side only."""
        with app.connection_for_write() as connection:
            message = connection.default_channel.basic_get(queue, no_ack=True)
            if message is None:
                return None
            body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
            return {
                "body": body.decode("latin-1"),
                "headers": message.headers,
                "properties": message.properties,
                "content_type": message.content_type,
                "content_encoding": message.content_encoding,
                "exchange": message.delivery_info["exchange"],
                "routing_key": message.delivery_info["routing_key"],
            }


def linked(options):
    """The options with links as signatures."""
    for key in ("link", "link_error"):
        if key in options:
            options[key] = [signature(one) for one in options[key]]
    return options


def described(error):
    """An exception as data, with what tells whether it is the real class."""
    return {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "args": [arg if isinstance(arg, (str, int, float, list, type(None))) else repr(arg) for arg in error.args],
        "shared": type(error) is interop_errors.Overdrawn,
        "builtin": isinstance(error, ValueError),
    }


def main():
    client = Client()
    answers, sys.stdout = sys.stdout, sys.stderr  # what anybody prints goes to the log
    for line in sys.stdin:
        command, arguments = json.loads(line)
        try:
            answer = {"answer": getattr(client, command)(**arguments)}
        except Exception:
            answer = {"failed": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
