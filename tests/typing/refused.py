"""What a type checker must refuse; each line names the error it must give."""

from kernel import Kernel

app = Kernel("proj")


@app.task
def add(x: int, y: int) -> int:
    return x + y


@app.task(bind=True)
def bound(self: object, x: int) -> int:
    return x


add.delay("x")  # error: [call-arg] [arg-type]
add.delay(1, "y")  # error: [arg-type]
add.delay(1, 2, 3)  # error: [call-arg]
add.delay(1, z=2)  # error: [call-arg]
add("1", 2)  # error: [arg-type]
add.si(1)  # error: [call-arg]
bound.delay("x")  # error: [arg-type]
bound.delay()  # error: [call-arg]
add.apply_async((1, 2), coutdown=3)  # error: [call-arg]
add.apply_async((1, 2), countdown="soon")  # error: [arg-type]
add.apply_async(1, 2)  # error: [arg-type] [arg-type]
text: str = add.delay(1, 2).get()  # error: [assignment]
app.send_task("t", (1,), queu="q")  # error: [call-arg]
app.task(5)  # error: [call-overload]
