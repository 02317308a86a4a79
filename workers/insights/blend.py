"""The learned forecasts: renewal, hazard, and half of each."""

from dataclasses import dataclass
from time import process_time
from typing import Final

from workers.insights.curves import Forecasts, read
from workers.insights.hazard import Hazard, fit_hazard
from workers.insights.history import History, Snapshots
from workers.insights.renewal import Renewal, fit_renewal

LEARNED: Final = ("renewal", "hazard", "blend")


@dataclass(frozen=True)
class Learned:
    """Both halves, and CPU seconds that each took; no hazard where there was too little."""

    history: History
    renewal: Renewal
    hazard: Hazard | None
    seconds: dict[str, float]

    def forecasts(self, snapshots: Snapshots) -> dict[str, tuple[Forecasts, float]]:
        """Per name: what it forecasts, and the CPU seconds it took."""
        began = process_time()
        renewal = self.renewal.curves(self.history, snapshots)
        first = process_time() - began
        began = process_time()
        hazard = self.hazard.curves(self.history, snapshots) if self.hazard else renewal
        second = process_time() - began
        return {
            "renewal": (read(renewal), first),
            "hazard": (read(hazard), second),
            "blend": (read((renewal + hazard) / 2), first + second),
        }


def fit_learned(history: History, past: Snapshots, until: int) -> Learned:
    """`past` must know nothing after `until`."""
    began = process_time()
    renewal = fit_renewal(history, past, until)
    first = process_time() - began
    began = process_time()
    hazard = fit_hazard(history, renewal, past, until)
    second = process_time() - began
    # The hazard reads the renewal's rhythm, so it needs both.
    seconds = {"renewal": first, "hazard": first + second, "blend": first + second}
    return Learned(history, renewal, hazard, seconds)
