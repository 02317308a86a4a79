"""Answers of this process, those that were asked for last."""

from collections import OrderedDict
from typing import Final

from api.edge.answers import Answer
from api.edge.questions import Question

BYTES: Final = 32_000_000  # in all
_AROUND: Final = (
    4_000  # bytes, about, that an answer costs beside its bodies: names, headers, links
)


class Memory:
    def __init__(self, size: int = BYTES) -> None:
        self._size = size
        self._kept: OrderedDict[Question, Answer] = OrderedDict()
        self._bytes = 0

    def get(self, question: Question) -> Answer | None:
        answer = self._kept.get(question)
        if answer is not None:
            self._kept.move_to_end(question)
        return answer

    def put(self, question: Question, answer: Answer) -> None:
        """Keep it instead of what was kept; those not asked for longest make room."""
        before = self._kept.pop(question, None)
        self._bytes += _cost(answer) - (_cost(before) if before else 0)
        self._kept[question] = answer
        while self._bytes > self._size:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _cost(oldest)


def _cost(answer: Answer) -> int:
    """Small answers fill the memory, too: who asks what finds nothing may ask it in any words."""
    return answer.size + _AROUND
