"""The drill on the API's description: made-up requests, and every answer is held to what it says.

Schemathesis reads the description that the server serves, and makes requests that keep to it and
others that do not, alone and in chains: what one answers, another is asked about. Two people and
one of the staff take turns; what one of them can read, the next is refused at every door to it.
"""

import datetime as dt
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

import requests
import schemathesis
from django.test import override_settings
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.openapi.checks import RejectedPositiveData

from accounts.models import Scope, User
from api.auth import issue_token
from stalkerr import clock
from tests.chaos.memory import IF_MATCH, Memory
from tests.chaos.questions import OF_EVERY_LIST, UNTELLABLE, furnish
from tests.sinks import HttpSink
from tests.web import errors_in, web

SEED: Final = 20270309
PEOPLE: Final = ("alice", "bob")
STAFF: Final = "operator"
STAFFS: Final = "/api/admin/"  # what is theirs only
SHOWN: Final = 20  # failures that are told whole
TEXT_SHOWN: Final = 600  # characters of each
REFUSALS: Final = {401, 403, 404}
# So that no limit hides what is behind it.
SETTINGS: Final = {"LIMITS_FACTOR": "1000000", "LOG_LEVEL": "ERROR"}
STAY: Final = dt.timedelta(days=1)  # nobody has to sign in again
# How what the description does not allow may be refused: 412 comes before a body is looked at.
_NOES: Final = ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "429"]
JSON: Final = {"Accept": "application/vnd.oai.openapi+json"}


@dataclass(frozen=True)
class Person:
    """Who asks, and what opens their doors: a token of no sign-in, that only leaving ends."""

    name: str
    authorization: str
    is_staff: bool

    @classmethod
    def of(cls, user: User) -> Self:
        scope = Scope.ADMIN if user.is_staff else Scope.WRITE
        with override_settings(JWT_LIFETIME=STAY):
            token = issue_token(user=user, now=clock.now(), scope=scope)
        return cls(user.email, f"Bearer {token}", user.is_staff)


@dataclass(frozen=True)
class Turn:
    """Whose it is; each has a first one, and then more."""

    number: int
    people: Sequence[Person]

    @property
    def person(self) -> Person:
        return self.people[self.number % len(self.people)]

    @property
    def stranger(self) -> Person:
        return self.people[(self.number + 1) % len(self.people)]

    @property
    def is_first(self) -> bool:
        return self.number < len(self.people)

    @property
    def is_thorough(self) -> bool:
        """Every bound is tried once, by who may be there."""
        return self.number == 0 or (self.is_first and self.person.is_staff)

    @property
    def chains(self) -> int:
        """How many of them: what is staff's leads nowhere else, and to make some up takes long."""
        if self.person.is_staff:
            return 5
        return 20 if self.is_first else 200

    def narrowed(self, schema: Any) -> Any:
        """Staff ask what is theirs only. To others it is not there, which one of them sees."""
        at_staffs = {"path_regex": f"^{STAFFS}"}
        if self.person.is_staff:
            return schema.include(**at_staffs)
        return schema.exclude(**at_staffs) if self.is_thorough else schema


@dataclass
class Tally:
    """What came of it so far."""

    cases: int = 0
    described: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)  # operations
    served: set[str] = field(default_factory=set)  # those that did what they are for
    statuses: Counter[int] = field(default_factory=Counter)
    strangers: Counter[int] = field(default_factory=Counter)  # statuses of what they asked for
    found: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def add(self, recorder: ScenarioRecorder) -> None:
        """What one scenario sent, and what was wrong with the answers."""
        for case_id, interaction in recorder.interactions.items():
            label = recorder.cases[case_id].value.operation.label
            self.cases += 1
            self.asked.add(label)
            if interaction.response is not None:
                status = interaction.response.status_code
                self.statuses[status] += 1
                if status < 300:
                    self.served.add(label)
        for case_id, checks in recorder.checks.items():
            label = recorder.cases[case_id].value.operation.label
            for check in checks:
                if check.status is Status.FAILURE and check.failure_info is not None:
                    failure = check.failure_info.failure
                    words = f"{failure.message}\n{check.failure_info.code_sample}"
                    self.find(label, check.name, failure.title, words)

    def find(self, *what: str) -> None:
        operation, check, title, words = what
        self.found.setdefault((operation, check, title), words[:TEXT_SHOWN])

    @property
    def server_errors(self) -> int:
        every = self.statuses + self.strangers
        return sum(count for status, count in every.items() if status >= 500)

    @property
    def limited(self) -> int:
        """Those that a limit kept from what they are about."""
        return self.statuses[429] + self.strangers[429]


def fuzz_api(*, cases: int = 1500, seed: int = SEED) -> dict[str, Any]:
    """At least so many requests: no server error, and no answer that the description does not have."""
    begun, tally = time.monotonic(), Tally()
    with tempfile.TemporaryDirectory() as folder, HttpSink() as receiver:
        log = Path(folder) / "web"
        people = [Person.of(user) for user in furnish(PEOPLE, STAFF, receiver.url)]
        with web(log, **SETTINGS) as url, _reminded(url, people, seed):
            known = _credentials(people, Path(folder))
            for turn in (Turn(number, people) for number in count()):
                if not turn.is_first and tally.cases >= cases:
                    break
                _ask(tally, url, turn, _config(url, turn, known, seed))
        said = errors_in(log)
    shown = [": ".join((*what, words)) for what, words in tally.found.items()]
    silent = sorted(tally.described - tally.asked)
    return {
        "drill": "fuzz_api",
        "cases": tally.cases,
        "operations": len(tally.asked),
        "served": len(tally.served),
        "strangers": tally.strangers.total(),
        "server_errors": tally.server_errors,
        "limited": tally.limited,
        "violations": len(shown),
        "seconds": round(time.monotonic() - begun, 1),
        "held": tally.cases >= cases
        and not (tally.server_errors or tally.limited or shown or silent or said),
        "found": shown[:SHOWN],
        "not_asked": silent,
        "never_served": sorted(tally.described - tally.served),
        "log": said[:SHOWN],
    }


@contextmanager
def _reminded(url: str, people: Sequence[Person], seed: int) -> Iterator[None]:
    """Every request says what its sender would know."""
    memories = {each.authorization: Memory(url, each.authorization, seed) for each in people}

    @schemathesis.hook
    def before_call(_context: Any, case: Any, _options: Any) -> None:
        memory = memories.get(case.headers.get("Authorization"))
        if memory is not None:
            memory.remind(case)

    try:
        yield
    finally:
        schemathesis.hooks.unregister(before_call)


def _config(url: str, turn: Turn, credentials: Path, seed: int) -> SchemathesisConfig:
    """First every rule of the description at its bounds, then what chance brings."""
    return SchemathesisConfig.from_dict(
        {
            "seed": seed + turn.number,
            "base-url": url,
            "cache": {"enabled": False},  # what one run learns is no matter of the next
            "continue-on-failure": True,
            "request-timeout": 30,
            "suppress-health-check": ["all"],  # hypothesis's own: how slow the machine is
            "auth": {
                "wfc": {
                    "path": str(credentials),
                    "user": turn.person.name,
                    "peers": [each.name for each in turn.people],
                }
            },
            "generation": {
                "deterministic": turn.is_first,  # the same requests each time, whatever the seed
                "max-examples": 3 if turn.is_first else 40,
                "no-shrink": True,
                "database": "none",
            },
            "checks": {"negative_data_rejection": {"expected-statuses": _NOES}},
            "phases": {
                "examples": {"enabled": turn.is_first},
                "coverage": {"enabled": turn.is_thorough},
                # It takes the `errors` of our problems for a field that a body must have.
                "fuzzing": {"error-feedback": {"enabled": False}},
                "stateful": {"generation": {"max-examples": turn.chains}},
            },
        }
    )


def _ask(tally: Tally, url: str, turn: Turn, config: SchemathesisConfig) -> None:
    """One turn; the next who has one is a stranger to who asks."""
    whole = schemathesis.openapi.from_url(f"{url}/api/schema", headers=JSON, config=config)
    schema = turn.narrowed(whole)
    tally.described = {
        f"{method.upper()} {path}"
        for path, methods in schema.raw_schema["paths"].items()
        for method in methods
    }
    schema.hook("filter_failure")(_counts)
    doors = Doors(tally, schema.raw_schema["paths"], turn.stranger)

    @schema.hook
    def after_call(_context: Any, case: Any, response: Any) -> None:
        doors.try_each(case, response)

    for event in from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            tally.add(event.recorder)
        elif isinstance(event, events.NonFatalError):
            tally.find(event.label, "engine", type(event.value).__name__, str(event.value))
        elif isinstance(event, events.FatalError):
            raise event.exception


class Doors:
    """A stranger tries every door to what somebody else has just read."""

    def __init__(self, tally: Tally, paths: dict[str, Any], stranger: Person) -> None:
        self._tally = tally
        self._paths = paths
        self._asking = requests.Session()
        self._asking.headers["Authorization"] = stranger.authorization
        self._tried: set[str] = set()

    def try_each(self, case: Any, response: Any) -> None:
        url = str(response.request.url).partition("?")[0]
        is_anybodys = {} in case.operation.definition.raw.get("security", [{}])
        is_one = case.method == "GET" and case.path.endswith("}") and response.status_code == 200
        is_owners = (
            response.request.headers.get("Authorization") != self._asking.headers["Authorization"]
        )
        if not is_one or is_anybodys or not is_owners or url in self._tried:
            return
        self._tried.add(url)
        for path, methods in self._paths.items():
            if path == case.path or path.startswith(f"{case.path}/"):
                for method in methods:
                    self._try(
                        method, url + path.removeprefix(case.path), f"{method.upper()} {path}"
                    )

    def _try(self, method: str, url: str, label: str) -> None:
        answer = self._asking.request(method, url, json={}, timeout=30)
        self._tally.strangers[answer.status_code] += 1
        if answer.status_code not in REFUSALS:
            words = f"{answer.status_code} {answer.text}"
            self._tally.find(label, "stranger", "A stranger is not refused", words)


def _counts(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one: not where only what no description can tell was refused."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    if response.status_code == 412:
        return IF_MATCH not in case.headers  # which tag a row has
    if response.status_code != 400:
        return True
    problem = json.loads(response.content)
    untellable = OF_EVERY_LIST | UNTELLABLE.get(case.operation.label, frozenset())
    paths = problem.get("errors", {"": ()})
    return not all(untellable.intersection(path.split(".")) for path in paths)


def _credentials(people: Sequence[Person], folder: Path) -> Path:
    """A file that says who they are and what they send, in the form of Web Fuzzing Commons."""
    entries = [
        {
            "name": each.name,
            "fixedHeaders": [{"name": "Authorization", "value": each.authorization}],
        }
        for each in people
    ]
    path = folder / "people.json"
    path.write_text(json.dumps({"auth": entries}))
    return path
