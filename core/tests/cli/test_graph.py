"""kernel graph and kernel result --tree."""

import importlib
import json
import sys
import uuid
from xml.etree import ElementTree as ET

import pytest

from kernel import group
from kernel.cli.exits import Exit
from kernel.cli.main import main
from kernel.testing import start_worker

MODULE = """
from kernel import Kernel, chain, chord, group
app = Kernel("flows", broker="memory://{name}", backend="memory://{name}", result_extended=True, set_as_current=False)

@app.task
def add(x, y=0):
    return x + y

@app.task
def total(numbers):
    return sum(numbers)

@app.task
def told(request, exc, traceback):
    pass

nightly = add.s(1, 1) | group(add.s(2), add.s("<3>", y=4).on_error(told.s())) | total.s() | add.s(5)
single = add.s(1)

def made():
    return group(add.s(1), chord([add.s(2)], total.s()))

number = 5
"""


@pytest.fixture
def flows(tmp_path, monkeypatch):
    name = f"flows_{uuid.uuid4().hex[:8]}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(name=name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield name
    module = sys.modules.pop(name, None)
    if module is not None:
        module.app.close()


def run(capsys, *arguments):
    code = main(list(arguments))
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_as_text(flows, capsys):
    code, out, _ = run(capsys, "graph", f"{flows}:nightly")
    assert code == 0
    assert (
        out
        == f"""chain
├─ {flows}.add(1, 1)
└─ chord
   ├─ header
   │  ├─ {flows}.add(2)
   │  └─ {flows}.add('<3>', y=4)
   │     └─ on error: {flows}.told()
   └─ then chain
      ├─ {flows}.total()
      └─ {flows}.add(5)
"""
    )
    assert run(capsys, "graph", f"{flows}:single")[1] == f"{flows}.add(1)\n"


def test_as_dot(flows, capsys):
    _, out, _ = run(capsys, "graph", f"{flows}:nightly", "--format", "dot")
    assert out.startswith("digraph workflow {")
    assert f't0 [label="{flows}.add(1, 1)"];' in out
    arrows = [line.strip() for line in out.splitlines() if "->" in line]
    assert arrows == [
        "t0 -> t1;", "t0 -> t2;", "t2 -> t3 [style=dotted, label=errback];", "t1 -> t4;", "t2 -> t4;", "t4 -> t5;",
    ]  # fmt: skip


def test_as_svg(flows, capsys, tmp_path):
    file = tmp_path / "flow.svg"
    assert run(capsys, "graph", f"{flows}:made", "--format", "svg", "--out", str(file))[:2] == (0, "")
    picture = ET.fromstring(file.read_text())
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == [f"{flows}.add(1)", f"{flows}.add(2)", f"{flows}.total()"]
    places = [(each.get("x"), each.get("y")) for each in picture.iter("{http://www.w3.org/2000/svg}rect")]
    assert len(set(places)) == 3
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}line"))) == 1
    _, out, _ = run(capsys, "graph", f"{flows}:nightly", "--format", "svg")
    assert "add(&#x27;&lt;3&gt;&#x27;, y=4)" in out


@pytest.mark.parametrize(
    ("place", "code", "words"),
    [
        ("nothing", Exit.USAGE, "names no workflow"),
        ("{}:nigthly", Exit.NO_INPUT, "Did you mean 'nightly'"),
        ("{}_x:y", Exit.NO_INPUT, "No module named"),
        ("{}:number", Exit.DATA, "is int 5, not a workflow"),
    ],
)
def test_what_is_no_workflow(flows, capsys, place, code, words):
    ended, out, err = run(capsys, "graph", place.format(flows))
    assert (ended, out) == (code, "")
    assert words in err


def test_the_tree_of_a_workflow(flows, capsys):
    module = importlib.import_module(flows)
    with start_worker(module.app, loglevel="CRITICAL"):
        whole = module.add.s(1, 1) | module.add.s(2) | group(module.add.s(3)) | module.total.s()
        result = whole.apply_async()
        result.get(timeout=30)
        first = result.parent.parent.parent

    code, out, _ = run(capsys, "-A", flows, "result", first.id, "--tree")

    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["SUCCESS", first.id, f"{flows}.add"]
    assert lines[1][:2] == ["then", "SUCCESS"]
    assert lines[2] == ["then", "SUCCESS", result.id, f"{flows}.total"]
    assert lines[3][:3] == ["waits", "for", "group"]
    assert lines[4][0] == "SUCCESS"
    tree = json.loads(run(capsys, "-A", flows, "result", first.id, "--tree", "--output", "json")[1])
    assert tree["children"][0]["children"][0]["of"]["group"][0]["state"] == "SUCCESS"
