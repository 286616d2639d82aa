"""Published facts beside the arms of trials, and what twins of the shipped population show of each: one table."""

from collections.abc import Callable, Iterator, Mapping
from types import ModuleType

import pandas as pd

from . import facts_biology, facts_lesions, facts_relapse, facts_skin, facts_trials
from .follow import PEOPLE, Scene, scene
from .found import Found, frame

Say = Callable[[str], None]
PARTS: Mapping[str, ModuleType] = {
    "sebum, follicles and bacteria": facts_biology,
    "lesions": facts_lesions,
    "relapse after isotretinoin": facts_relapse,
    "skin and people": facts_skin,
    "trials together": facts_trials,
}


def quiet(text: str) -> None:
    """Say nothing."""


def checks(numbers: Mapping[str, float], people: int = PEOPLE, say: Say = quiet) -> pd.DataFrame:
    """All facts, one a row (`found.COLUMNS`), those that the model does not answer among them.

    Args:
      numbers: all parameters of the model, as `Table.numbers()` has them. people: of each regimen, a divisor of 4096.
      say: is told of the progress.
    Raises:
      ValueError: a number of the model is missing, or `people` is no divisor.
    """
    say(f"twins of the population, {people} of them on each regimen")
    return frame(_found(scene(numbers, people), say))


def _found(of: Scene, say: Say) -> Iterator[Found]:
    for name, part in PARTS.items():
        say(name)
        yield from part.facts(of)
        of.kept.clear()  # parts share no regimens to speak of, and courses take memory
