"""Which works belong together, given the editions that may. Pure: catalog/editions.py loads them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import product

from catalog.works import Edition, contradict, is_proven, is_reissue, same_work


class KnownWorks:
    """Works by id, with their editions. Ids below zero: of works that are not stored yet."""

    def __init__(self) -> None:
        self.editions: defaultdict[int, list[Edition]] = defaultdict(list)
        self._moved: dict[int, int] = {}  # work → the work it became part of
        self.places: set[tuple[str, str]] = set()  # (marketplace, ASIN) of all editions
        self.reissues: set[int] = set()  # ids of audiobooks that merging showed to be re-issues
        self._by_key: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, work: int, edition: Edition) -> None:
        """An edition of `work`."""
        self.editions[work].append(edition)
        self.places.add((edition.marketplace, edition.asin))
        for key in (*edition.keys, edition.asin):
            self._by_key[key].add(work)

    def home_of(self, edition: Edition) -> tuple[int | None, bool]:
        """The work a new edition joins, if any, and whether it shows more works to be the same."""
        partners = self._partners([edition])
        if not partners or len(self._pinned(partners)) > 1:
            return None, False
        return self._eldest(partners), len(partners) > 1

    def sells_again(self, work: int, new: Edition) -> bool:
        """Whether `new` is a re-issue of an edition of `work`."""
        return any(is_reissue(new, old) for old in self.editions[work])

    def merge(self, due: Iterable[int]) -> None:
        """Merge what belongs to the works `due`; of works that a person chose, one at most."""
        for work in due:
            home = self.now(work)
            while partners := self._free_partners(home):
                home = self._join([home, *partners])

    def now(self, work: int) -> int:
        """The work that `work` is part of by now."""
        while work in self._moved:
            work = self._moved[work]
        return work

    @property
    def moved(self) -> dict[int, int]:
        """Each work that became part of another, and that other."""
        return {work: self.now(work) for work in self._moved}

    def _free_partners(self, work: int) -> list[int]:
        partners = [each for each in self._partners(self.editions[work]) if each != work]
        pinned = self._pinned(partners)
        if self._pinned([work]):
            return [each for each in partners if each not in pinned]
        return partners if len(pinned) < 2 else []

    def _partners(self, group: Sequence[Edition]) -> list[int]:
        """The works of which `group` is part: by number any of them, by title only one.

        Two works that a title fits are two books of that title, and it can't tell which.
        """
        near = {
            self.now(work)
            for edition in group
            for key in (*edition.keys, edition.asin)
            for work in self._by_key[key]
        }
        others = sorted(work for work in near if self.editions[work] is not group)
        proven = [work for work in others if _is_proven(group, self.editions[work])]
        likely = [work for work in others if _is_likely(group, self.editions[work])]
        return proven or (likely if len(likely) == 1 else [])

    def _pinned(self, works: Iterable[int]) -> list[int]:
        return [work for work in works if any(each.is_pinned for each in self.editions[work])]

    def _eldest(self, works: Sequence[int]) -> int:
        """The one a person chose, else the one stored first."""
        return min(self._pinned(works) or works, key=lambda work: (work < 0, abs(work)))

    def _join(self, works: Sequence[int]) -> int:
        into = self._eldest(works)
        for work in works:
            if work != into:
                self._note_reissues(self.editions[into], self.editions[work])
                self.editions[into] += self.editions.pop(work)
                self._moved[work] = into
        return into

    def _note_reissues(self, ours: Sequence[Edition], theirs: Sequence[Edition]) -> None:
        pairs = [*product(ours, theirs), *product(theirs, ours)]
        self.reissues |= {new.id for new, old in pairs if is_reissue(new, old)}


def _is_proven(ours: Sequence[Edition], theirs: Sequence[Edition]) -> bool:
    return any(is_proven(a, b) for a, b in product(ours, theirs))


def _is_likely(ours: Sequence[Edition], theirs: Sequence[Edition]) -> bool:
    """Whether one pair says so and none speaks against it; a person's word outweighs what speaks."""
    pairs = list(product(ours, theirs))
    return any(same_work(a, b) for a, b in pairs) and not any(
        contradict(a, b) for a, b in pairs if not (a.is_pinned or b.is_pinned)
    )
