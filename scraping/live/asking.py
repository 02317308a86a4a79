"""Puts the questions of a check to a store, each in its polite turn. Stores nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from scraping import politeness
from scraping.live.questions import QUESTIONS, Question
from scraping.live.sights import Heard, Sights
from scraping.outcomes import Failed, Throttled
from scraping.pages import Answer
from scraping.sources import audible_api, audible_html
from scraping.sources.http import fetch, open_session
from scraping.sources.registry import DEFAULT

# So many questions without any answer, one after the other, and the rest is not asked.
PATIENCE = 3


def ask_all(sights: Sights) -> None:
    """Ask every question; stops where the store wants to be left alone, or is not there."""
    with _watched_session() as (session, wire):
        for question in QUESTIONS:
            if sights.throttled:
                sights.silent[question.name] = "not asked: the store wants to be left alone"
            elif sights.unanswered >= PATIENCE:
                sights.silent[question.name] = "not asked: the store does not answer"
            elif url := question.url(sights):
                _ask(sights, question, url, session, wire)
            else:
                sights.silent[question.name] = f"not asked: {question.lacks}"


@contextmanager
def _watched_session() -> Iterator[tuple[requests.Session, list[requests.Response]]]:
    """A session, and what came over its wire: `fetch` makes a whole answer of a 304."""
    wire: list[requests.Response] = []
    with open_session() as session:
        session.hooks["response"].append(lambda response, **_: wire.append(response))
        yield session, wire


def _ask(
    sights: Sights,
    question: Question,
    url: str,
    session: requests.Session,
    wire: list[requests.Response],
) -> None:
    marketplace = sights.scope.marketplace
    # By hand: the pace and the breaker hold, the half hour between two looks at one page does not.
    once = f"{url}#{question.name}-{sights.now.isoformat()}"
    turn = politeness.acquire(marketplace, once, question.source)
    if isinstance(turn, politeness.Postponed):
        sights.silent[question.name] = f"not asked: no turn ({turn.reason})"
        return
    sights.requests += 1
    answer = fetch(url, session)
    verdict = _judge(question.source, answer, sights)
    politeness.report(marketplace, question.source, ok=not _is_blind(verdict))
    if isinstance(answer, Failed):
        sights.silent[question.name] = answer.reason
        sights.unanswered += 1
        return
    sights.is_reached, sights.unanswered = True, 0
    _keep(sights, question, answer, verdict, wire[-1])


def _judge(source: str, answer: Answer | Failed, sights: Sights) -> object:
    judge = audible_api.judge if source == DEFAULT else audible_html.judge
    try:
        return judge(answer, sights.scope.marketplace, sights.now)
    except audible_api.GroupsRefused as refused:
        return refused


def _is_blind(verdict: object) -> bool:
    return isinstance(verdict, Throttled) or (isinstance(verdict, Failed) and verdict.blind)


def _keep(
    sights: Sights, question: Question, answer: Answer, verdict: object, response: requests.Response
) -> None:
    """What the checks may look at: not an outage, nor a "leave me alone"."""
    if isinstance(verdict, Throttled):
        politeness.leave_alone(sights.scope.marketplace, verdict.retry_after)
        sights.throttled = answer
        sights.silent[question.name] = f"the store answered {answer.status}"
    elif isinstance(verdict, Failed) and verdict.blind and answer.status != 200:
        sights.silent[question.name] = verdict.reason
    else:
        asked = response.request.headers
        sights.heard[question.name] = Heard(
            answer=answer,
            source=question.source,
            status=response.status_code,
            was_conditional="If-None-Match" in asked or "If-Modified-Since" in asked,
        )
