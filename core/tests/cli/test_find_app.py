"""`-A` finds the app by the rules of features.md 1.28, and says in one line what it tried when there is none."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.cli.exits import CommandError, Exit
from kernel.cli.find_app import Finder

SOURCE = "from find_app_types import App\n"


class Project:
    """A folder of modules on the path, forgotten after the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("find_app_types.py", "class App:\n    def __init__(self, name): self.name = name\n", header="")

    def write(self, name: str, text: str = "", header: str = SOURCE) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + text)

    def find(self, path: str) -> str:
        kind = __import__("find_app_types").App
        return Finder(kind).find(path).name

    def error(self, path: str) -> CommandError:
        with pytest.raises(CommandError) as caught:
            self.find(path)
        assert "\n" not in caught.value.one_line()
        return caught.value


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield Project(tmp_path)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_the_attribute_is_named_exactly(project: Project) -> None:
    project.write("tasks.py", "app = App('a')\nclass Box: pass\nbox = Box()\nbox.inner = App('inner')\n")
    assert project.find("tasks:app") == "a"
    assert project.find("tasks:box.inner") == "inner"


@pytest.mark.parametrize("attribute", ["app", "kernel", "celery"])
def test_a_module_keeps_its_app_under_a_familiar_name(project: Project, attribute: str) -> None:
    project.write("tasks.py", f"other = App('other')\n{attribute} = App('familiar')\n")
    assert project.find("tasks") == "familiar"


def test_familiar_names_have_an_order(project: Project) -> None:
    project.write("tasks.py", "celery = App('celery')\nkernel = App('kernel')\napp = App('app')\n")
    assert project.find("tasks") == "app"


def test_any_instance_is_the_last_resort_of_a_module(project: Project) -> None:
    project.write("tasks.py", "app = 'a string'\nmine = App('mine')\n")
    assert project.find("tasks") == "mine"


def test_a_package_is_asked_for_its_submodule_before_any_instance_in_it(project: Project) -> None:
    project.write("proj/__init__.py", "stray = App('stray')\n")
    project.write("proj/kernel.py", "whatever = App('submodule')\n")
    assert project.find("proj") == "submodule"


def test_a_package_with_a_familiar_name_wins_over_its_submodule(project: Project) -> None:
    project.write("proj/__init__.py", "app = App('package')\n")
    project.write("proj/kernel.py", "app = App('submodule')\n")
    assert project.find("proj") == "package"


def test_a_package_whose_init_imports_its_submodule(project: Project) -> None:
    project.write("proj/__init__.py", "import proj.kernel\n")  # proj.kernel is now a module, not an app
    project.write("proj/kernel.py", "app = App('submodule')\n")
    assert project.find("proj") == "submodule"


def test_a_package_without_the_submodule_gives_any_instance(project: Project) -> None:
    project.write("proj/__init__.py", "stray = App('stray')\n")
    assert project.find("proj") == "stray"


def test_the_last_part_may_be_an_attribute(project: Project) -> None:
    project.write("proj/__init__.py")
    project.write("proj/tasks.py", "special = App('special')\n")
    assert project.find("proj.tasks.special") == "special"


def test_a_module_that_does_not_exist_is_66_and_offers_near_names(project: Project) -> None:
    project.write("tasks.py", "app = App('a')\n")
    error = project.error("taks")
    assert error.exit_code == Exit.NO_INPUT
    assert "no module 'taks'" in error.one_line()
    assert "'tasks'" in error.one_line()


def test_a_missing_attribute_is_66_and_offers_near_names(project: Project) -> None:
    project.write("tasks.py", "application = App('a')\n")
    error = project.error("tasks:aplication")
    assert error.exit_code == Exit.NO_INPUT
    assert "Did you mean 'application'?" in error.one_line()


def test_a_module_without_an_app_is_66_and_tells_what_was_tried(project: Project) -> None:
    project.write("proj/__init__.py", "App = None\n")
    error = project.error("proj")
    assert error.exit_code == Exit.NO_INPUT
    for tried in ("proj:app", "proj:kernel", "proj:celery", "proj.kernel", "any App in proj"):
        assert tried in error.one_line()


def test_a_module_that_fails_is_78_and_names_the_place(project: Project) -> None:
    project.write("tasks.py", "import no_such_library_xyz\n")
    error = project.error("tasks")
    assert error.exit_code == Exit.CONFIG
    assert "no_such_library_xyz" in error.one_line()
    assert "tasks.py:2" in error.one_line()


def test_a_submodule_that_fails_is_not_passed_over(project: Project) -> None:
    project.write("proj/__init__.py", "stray = App('stray')\n")
    project.write("proj/kernel.py", "import no_such_library_xyz\n")
    assert project.error("proj").exit_code == Exit.CONFIG


def test_a_module_that_exits_does_not_end_the_program(project: Project) -> None:
    project.write("tasks.py", "raise SystemExit(3)\n")
    error = project.error("tasks")
    assert error.exit_code == Exit.CONFIG
    assert "SystemExit: 3" in error.one_line()


def test_something_else_than_an_app_is_78(project: Project) -> None:
    project.write("tasks.py", "app = 42\n")
    error = project.error("tasks:app")
    assert error.exit_code == Exit.CONFIG
    assert "int 42" in error.one_line()


@pytest.mark.parametrize(
    ("path", "cure"),
    [
        ("proj/tasks.py", "-A proj.tasks"),
        ("./tasks.py:app", "-A tasks:app"),
        ("a..b", "module.path:attribute"),
        (":app", "module.path:attribute"),
        ("tasks:", "module.path:attribute"),
        ("my-tasks", "module.path:attribute"),
        ("", "module.path:attribute"),
    ],
)
def test_a_malformed_path_is_64_with_the_right_form(project: Project, path: str, cure: str) -> None:
    error = project.error(path)
    assert error.exit_code == Exit.USAGE
    assert cure in error.one_line()
