"""docs/monitoring: what the dashboard and the alerts ask for is what /metrics tells."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from api import health
from stalkerr import figures
from stalkerr.processes import ROOT

FOLDER = ROOT / "docs" / "monitoring"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
ALERTS = yaml.safe_load((FOLDER / "alerts.yml").read_text())
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
QUERIES = [each["expr"] for panel in DASHBOARD["panels"] for each in panel.get("targets", [])]
EXPRESSIONS = [*QUERIES, *(rule["expr"] for rule in RULES)]
OF_A_HISTOGRAM = ("_bucket", "_count", "_sum")


def selectors(expression: str) -> list[Any]:
    """What a PromQL expression asks for, by its syntax tree; ValueError where it is none."""
    return list(_walk(promql_parser.parse(expression)))


def _walk(node: Any) -> Iterator[Any]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("vector_selector", "expr", "lhs", "rhs", "param"):
        child = getattr(node, name, None)
        if child is not None and not isinstance(child, str):
            yield from _walk(child)
    for child in getattr(node, "args", None) or []:
        yield from _walk(child)


@pytest.fixture
def told(db: None, settings: Any) -> dict[str, set[str]]:
    """Names of samples that /metrics may tell, each with its labels."""
    with Redis.from_url(settings.BUCKETS_URL) as redis:
        redis.delete(figures.TOTALS, figures.POOLS)
    health.ALL.forget()
    answer = Client().get("/metrics", headers={"Authorization": "Bearer test-metrics-token"})
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        labels = {label for sample in family.samples for label in sample.labels}
        for name in _samples(family):
            names[name] = labels
    for declared in figures.REGISTRY._names_to_collectors.values():
        for name in names:
            if name.startswith(declared._name):  # type: ignore[attr-defined]
                names[name] |= set(declared._labelnames)  # type: ignore[attr-defined]
    return names


def _samples(family: Any) -> list[str]:
    if family.type == "histogram":
        return [f"{family.name}{ending}" for ending in OF_A_HISTOGRAM]
    return [f"{family.name}_total" if family.type == "counter" else family.name]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_question_is_about_something_that_is_told(
    told: dict[str, set[str]], expression: str
) -> None:
    """Proves the guard of names: a metric that is renamed would leave its panel empty."""
    asked = selectors(expression)
    assert asked
    assert {each.name for each in asked} <= told.keys()


def test_whoever_asks_for_nothing_is_found_out(told: dict[str, set[str]]) -> None:
    (asked,) = selectors("sum(rate(stalkerr_nothing_total[5m])) > 1")
    assert asked.name not in told
    with pytest.raises(ValueError, match=r"."):
        selectors("sum(rate(stalkerr_requests_total[5m])")


def test_everything_that_is_told_is_asked_for(told: dict[str, set[str]]) -> None:
    """But for the parts of histograms that nobody needs."""
    asked = {each.name for expression in EXPRESSIONS for each in selectors(expression)}
    assert {name for name in told if not name.endswith(("_count", "_sum"))} == asked


def test_every_alert_says_what_to_do() -> None:
    page = (ROOT / "docs" / "howto" / "watch-it-run.md").read_text()
    headings = {heading.lower() for heading in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert {"summary", "runbook"} <= rule["annotations"].keys()
        file, _, place = rule["annotations"]["runbook"].partition("#")
        assert (ROOT / file).exists()
        assert place == rule["alert"].lower()
        assert rule["labels"]["severity"] in ("critical", "warning")
    assert {rule["alert"].lower() for rule in RULES} == headings


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("There is no promtool here; the expressions were parsed above.")
    subprocess.run([promtool, "check", "rules", FOLDER / "alerts.yml"], check=True)  # noqa: S603


def test_the_dashboard_is_one_of_grafanas() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        assert {"type", "title", "gridPos"} <= panel.keys()
        refs = [target["refId"] for target in panel.get("targets", [])]
        assert len(refs) == len(set(refs))
