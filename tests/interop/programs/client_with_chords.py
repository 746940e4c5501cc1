"""The client of the other tests, with chords: for brokers beside a result backend where both libraries can join."""

import client
from interop_app import SIDE, signature

if SIDE == "celery":
    from celery import chord
else:
    from kernel import chord


class Client(client.Client):
    """The commands, and one more."""

    def chord(self, header, body):
        """Call the members, then the body with their results; the body's id."""
        result = chord([signature(member) for member in header])(signature(body))
        self.results[result.id] = result
        return result.id


if __name__ == "__main__":
    client.Client = Client
    client.main()
