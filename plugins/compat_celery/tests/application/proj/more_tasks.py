"""Tasks about routes, formats and options."""

from proj.celery import app


def where(task):
    info = task.request.delivery_info
    return [info.get("exchange") or "", info["routing_key"]]


@app.task(bind=True)
def routed(self):
    return where(self)[1]


@app.task(bind=True)
def short_form(self):
    return where(self)[1]


@app.task(bind=True)
def anywhere(self):
    return where(self)[1]


@app.task(bind=True)
def news(self, text):
    return [text, where(self)[1]]


@app.task
def limited():
    return "limited"


@app.task
def echo(value):
    return value


@app.task
def types_of(values):
    return {name: type(value).__name__ for name, value in values.items()}


@app.task(serializer="yaml", compression="zlib")
def in_yaml(value):
    return value


@app.task(expires=30, priority=3, queue="hipri", bind=True)
def with_options(self):
    return [self.request.expires is not None, where(self)[1]]
