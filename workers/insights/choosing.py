"""Which model is served: the best, and the best of the naive where nothing is surely better."""

from collections.abc import Mapping
from dataclasses import dataclass

from workers.insights.baselines import NAIVE
from workers.insights.history import Floats
from workers.insights.scores import Judged, gain


@dataclass(frozen=True)
class Choice:
    """`gain`: the share by which its pinball lies below the best naive's, with its interval."""

    model: str
    naive: str
    gain: tuple[float, float, float] | None
    why: str


def choose(judged: Mapping[str, Judged]) -> Choice:
    """Of what is surely better than the best naive, the best at window and chance together.

    Surely: its pinball loss (it rewards windows that are right and narrow) is lower within the
    whole 95 % interval, and its Brier score is no higher than that of any naive. What is not
    would be dearer, harder to explain, and as wrong.
    """
    loss = {name: _mean(each.pinball()[each.came]) for name, each in judged.items()}
    brier = {name: _mean(each.brier()) for name, each in judged.items()}
    naive = min((name for name in judged if name in NAIVE), key=loss.__getitem__)
    bar = min(brier[name] for name in judged if name in NAIVE)
    gains = {name: gain(each, judged[naive]) for name, each in judged.items() if name not in NAIVE}
    better = [name for name, (_, low, _) in gains.items() if low > 0 and brier[name] <= bar]
    if not better:
        why = f"Nothing is surely better than the best of the naive, {naive}: that is served."
        return Choice(naive, naive, None, why)
    best = min(better, key=lambda name: loss[name] / loss[naive] + brier[name] / bar)
    return Choice(best, naive, gains[best], _why(naive, *gains[best]))


def _why(naive: str, share: float, low: float, high: float) -> str:
    return (
        f"Its pinball loss is {share:.1%} below that of the best of the naive, {naive}"
        f" (95 % interval {low:.1%} to {high:.1%})."
    )


def _mean(values: Floats) -> float:
    return float(values.mean())
