"""Rows that a door guards are written behind that door and nowhere else: read from the source itself.

What can be decided by reading is decided: a row that is made (``Job(...)``), a write through a manager
(``Job.objects.create``, ``jobs.filter(...).update``), a ``save`` of something known to be such a row, and
the same through a related manager (``printer.jobs.create``).
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from reservations.models import Job

ROOT = Path(__file__).resolve().parents[2]
APPS = (
    "core",
    "journal",
    "accounts",
    "plugs",
    "printers",
    "reservations",
    "insights",
    "kiosk",
    "api",
    "simulation",
    "myp_project",
)

# The model, the names of its related managers, and the only places that write it.
DOORS = {
    "Job": ({"jobs"}, ("reservations/domain/",)),
    "PowerPlan": (set(), ("reservations/domain/",)),
    "PlugState": (set(), ("plugs/domain/",)),
    "PlugCommand": ({"commands"}, ("plugs/domain/",)),
    "PlugReading": ({"readings"}, ("plugs/domain/",)),
    "Entry": (set(), ("journal/domain/",)),
    "SchedulerState": (set(), ("core/domain/",)),
    "Heartbeat": (set(), ("core/domain/",)),
}
# Where a row is written beside its door, and why. This list may only shrink.
EXCEPTIONS: dict[str, set[str]] = {
    "simulation/seeding.py": {"PlugCommand"},  # sample data of a past that never was
}

WRITES = {
    "create", "acreate", "bulk_create", "abulk_create", "bulk_update", "abulk_update", "update", "aupdate",
    "get_or_create", "aget_or_create", "update_or_create", "aupdate_or_create", "delete", "adelete", "_raw_delete",
    "add", "set", "remove", "clear", "save", "asave", "save_base",
}  # fmt: skip
# Functions that hand rows on: `get_object_or_404(Job, pk=1).save()`.
GIVES_ROWS = {"get_object_or_404", "list", "sorted", "reversed"}


@dataclass(frozen=True, slots=True)
class Write:
    """A place in the source that writes rows of a model."""

    path: str
    line: int
    model: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} writes {self.model}"


class _Finder(ast.NodeVisitor):
    """Walks one module and remembers which names stand for a guarded model, its rows or its querysets."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[Write] = []
        self._models: dict[str, str] = {}
        self._scopes: list[dict[str, str]] = [{}]

    # -- which names mean what

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module and node.module.endswith("models"):
            for alias in node.names:
                if alias.name in DOORS:
                    self._models[alias.asname or alias.name] = alias.name

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.name in DOORS and self.path.endswith("models.py"):
            self._models[node.name] = node.name
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        named = {a.arg: model for a in arguments if (model := self._annotated(a.annotation))}
        self._scopes.append(named)
        self.generic_visit(node)
        self._scopes.pop()

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self.generic_visit(node)
        model = self._of(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self._remember(target.id, model)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            self._remember(node.target.id, self._annotated(node.annotation))

    def visit_For(self, node: ast.For) -> None:
        if isinstance(node.target, ast.Name):
            self._remember(node.target.id, self._of(node.iter))
        self.generic_visit(node)

    def _remember(self, name: str, model: str | None) -> None:
        if model:
            self._scopes[-1][name] = model
        else:
            self._scopes[-1].pop(name, None)

    def _annotated(self, annotation: ast.expr | None) -> str | None:
        if annotation is None:
            return None
        for part in ast.walk(annotation):
            if isinstance(part, ast.Name) and part.id in self._models:
                return self._models[part.id]
        return None

    # -- what is written

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if model := self._class(called):
            if node.args or node.keywords:  # an empty one is no row yet: it shows when it is saved
                self._tell(node, model)
        elif (
            isinstance(called, ast.Attribute) and called.attr in WRITES and (model := self._of(called.value))
        ):
            self._tell(node, model)
        self.generic_visit(node)

    def _tell(self, node: ast.AST, model: str) -> None:
        self.found.append(Write(self.path, getattr(node, "lineno", 0), model))

    def _class(self, node: ast.expr) -> str | None:
        """The guarded model that an expression names, if any."""
        if isinstance(node, ast.Name):
            return self._models.get(node.id)
        if isinstance(node, ast.Attribute) and node.attr in DOORS and _is_models_module(node.value):
            return node.attr
        return None

    def _of(self, node: ast.expr) -> str | None:
        """The guarded model whose manager, queryset or row an expression is, as far as that can be read."""
        if model := self._class(node):
            return model
        if isinstance(node, ast.Call):
            is_wrapped = isinstance(node.func, ast.Name) and node.func.id in GIVES_ROWS and node.args
            return self._of(node.args[0] if is_wrapped else node.func)
        if isinstance(node, ast.Attribute):
            related = (model for model, (managers, _doors) in DOORS.items() if node.attr in managers)
            return next(related, None) or self._of(node.value)
        if isinstance(node, ast.Subscript | ast.Await):
            return self._of(node.value)
        return self._known(node.id) if isinstance(node, ast.Name) else None

    def _known(self, name: str) -> str | None:
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)


def _is_models_module(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "models") or (
        isinstance(node, ast.Attribute) and node.attr == "models"
    )


def writes(source: str, path: str) -> list[Write]:
    """Every place in a module that writes rows of a guarded model."""
    finder = _Finder(path)
    finder.visit(ast.parse(source))
    return finder.found


def offences(source: str, path: str) -> list[Write]:
    """Those that are not behind the model's door."""
    allowed = EXCEPTIONS.get(path, set())
    return [
        write
        for write in writes(source, path)
        if not path.startswith(DOORS[write.model][1]) and write.model not in allowed
    ]


def modules() -> Iterator[tuple[str, str]]:
    """The product's source, migrations left out: they change the shape of tables and know no doors."""
    for app in APPS:
        for file in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in file.parts:
                yield file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")


def test_no_row_is_written_beside_its_door():
    found = [str(write) for path, source in modules() for write in offences(source, path)]
    assert not found, "\n".join(found)


def test_the_doors_themselves_are_seen_to_write():
    """If the search found nothing at all, it would find no offence either."""
    seen = {
        (write.model, path.rpartition("/")[0] + "/")
        for path, source in modules()
        for write in writes(source, path)
    }
    for model, (_managers, doors) in DOORS.items():
        assert any((model, door) in seen for door in doors), f"nothing writes {model}"


def test_every_exception_is_still_needed():
    written = {path: {write.model for write in writes(source, path)} for path, source in modules()}
    for path, allowed in EXCEPTIONS.items():
        assert allowed <= written[path], f"{path} does not write {allowed - written[path]} any more"


IMPORT = "from reservations.models import Job\nfrom plugs.models import PlugState\n"


@pytest.mark.parametrize(
    "offence",
    [
        "Job(printer=printer)",
        "job = Job()\njob.title = 'x'\njob.save()",
        "Job.objects.create(printer=printer)",
        "Job.objects.bulk_create(rows)",
        "Job.objects.filter(pk=1).exclude(state='x').update(state='booked')",
        "Job.objects.update_or_create(pk=1)",
        "Job.objects.get_or_create(pk=1)",
        "Job.objects.filter(pk=1).delete()",
        "Job._default_manager.all().delete()",
        "Job.objects.get(pk=1).save()",
        "get_object_or_404(Job, pk=1).save()",
        "job = Job.objects.get(pk=1)\njob.state = 'booked'\njob.save()",
        "job = Job.objects.filter(pk=1).first()\nif job:\n    job.save(update_fields=['state'])",
        "for job in Job.objects.all():\n    job.save()",
        "jobs = Job.objects.filter(pk=1)\njobs.update(state='booked')",
        "def f(job: Job) -> None:\n    job.save()",
        "async def f(job: Job | None) -> None:\n    await job.asave()",
        "def f(self, request: object, obj: 'x', job: Job):\n    obj.save()\n    job.delete()",
        "printer.jobs.create(owner=owner)",
        "user.jobs.filter(state='booked').update(state='cancelled')",
        "from reservations.models import Job as Booking\nBooking.objects.create()",
        "from reservations import models\nmodels.Job.objects.create()",
        "import reservations.models\nreservations.models.Job(title='x')",
        "PlugState.objects.filter(pk=1).update(wanted=True)",
        "plug.commands.all().delete()",
    ],
)
def test_an_offence_is_caught(offence):
    assert len(offences(IMPORT + offence, "kiosk/views.py")) == 1


@pytest.mark.parametrize(
    "harmless",
    [
        "Job.objects.filter(pk=1).order_by('pk')",
        "job = Job.objects.get(pk=1)\ntitle = job.title\nprinter.save()",
        "job = Job.objects.get(pk=1)\njob = form.instance\njob.save()",
        "numbers = {Job: 1}\nnumbers.update(x=2)",
        "def f(job: Job) -> str:\n    return str(job)\n\ndef g(job):\n    job.save()",
        "isinstance(job, Job)",
        "class JobAdmin(VerbAdmin[Job]):\n    pass",
        "data = {}\ndata.update(job=1)",
    ],
)
def test_what_does_not_write_is_left_alone(harmless):
    assert offences(IMPORT + harmless, "kiosk/views.py") == []


def test_the_same_is_fine_behind_the_door():
    source = IMPORT + "Job.objects.create()\nPlugState.objects.update(wanted=True)"
    assert [write.model for write in offences(source, "reservations/domain/booking.py")] == ["PlugState"]
    assert [write.model for write in offences(source, "plugs/domain/switching.py")] == ["Job"]


def test_a_job_is_never_deleted():
    with pytest.raises(TypeError, match="never deleted"):
        Job(pk=1).delete()
