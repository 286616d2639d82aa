"""The attacks: each is made once, then tallied for any division into people of the fit and people held out."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import rankdata

from . import chance
from .records import Records, codes
from .space import Points, nearest


class Tally(NamedTuple):
    """What a division into people of the fit and others shows.

    attack, control: successes and attempts on people of the fit and on people held out; (0, 0) where the test has none.
    statistic: the risk.
    """

    attack: tuple[int, int]
    control: tuple[int, int]
    statistic: float


class Attack(NamedTuple):
    """One attack carried out.

    test: its threshold's name. secret: what is inferred, of an inference.
    tally: from `member`, true for people of the fit, shape (people,).
    blind: the statistic of a model that gives nothing away.
    """

    test: str
    about: str
    tally: Callable[[np.ndarray], Tally]
    secret: str = ""
    blind: float = 0.0


NO_RATE = (0, 0)


def exact_copies(records: Records) -> Attack:
    """Share of twins whose record somebody of the fit has, to the step of every measurement."""
    both = np.concatenate([codes(records.people, records.steps), codes(records.twins, records.steps)])
    _, kind = np.unique(both, axis=0, return_inverse=True)
    person, twin = np.split(kind.ravel(), [records.people.size])
    kinds = int(kind.max()) + 1

    def tally(member: np.ndarray) -> Tally:
        copied = (np.bincount(person[side], minlength=kinds)[twin] > 0 for side in (member, ~member))
        return _rates(*copied)

    return Attack("exact_copies", "share of twins whose record a person of the fit has", tally)


def nearest_record(people: Points, twins: Points) -> Attack:
    """Share of twins whose nearest person is of the fit, both groups counted alike."""
    _, where = nearest(twins, people, 1)
    drawn = np.bincount(where[:, 0], minlength=len(people.at)).astype(float)

    def tally(member: np.ndarray) -> Tally:
        # Means, not sums: rearranged groups differ a little in size.
        inside, outside = drawn[member].mean(), drawn[~member].mean()
        return Tally(NO_RATE, NO_RATE, float(inside / (inside + outside)))

    return Attack(
        "nearest_record", "share of twins nearer to a person of the fit than to anyone else", tally, blind=0.5
    )


def by_distance(records: Records, people: Points, twins: Points, nearest_share: float) -> Iterable[Attack]:
    """What the distance from a person to the nearest twin says of having been in the fit."""
    attacked = records.attacked
    distance = nearest(people.take(attacked), twins, 1)[0][:, 0]
    ranks = rankdata(-distance)

    def area(member: np.ndarray) -> Tally:
        return Tally(NO_RATE, NO_RATE, chance.ranked_area(ranks, member[attacked]))

    def shortfall(member: np.ndarray) -> Tally:
        side = member[attacked]
        inside, outside = (float(np.quantile(distance[s], nearest_share)) for s in (side, ~side))
        # Where even people held out have a twin at no distance, closeness gives nothing away.
        return Tally(NO_RATE, NO_RATE, 1 - inside / outside if outside > 0 else 0.0)

    yield Attack(
        "membership", "area under the curve of guessing from the nearest twin who was in the fit", area, blind=0.5
    )
    yield Attack(
        "close_distance", "shortfall of the near distances to a twin, people of the fit against others", shortfall
    )


def stored_values(records: Records, stored: Mapping[str, np.ndarray]) -> Attack:
    """Whether what one person alone has stands in the model's own tables.

    Args:
      stored: all values of a number that the model's tables hold, of any shape.
    """
    who, success = [], []
    for name, values in stored.items():
        own = np.rint(records.people.numbers[name] / records.steps[name])
        _, first, counts = np.unique(own, return_index=True, return_counts=True)
        alone = first[(counts == 1) & np.isfinite(own[first])]
        who.append(alone)
        success.append(np.isin(own[alone], np.rint(np.ravel(values) / records.steps[name])))
    person, held = np.concatenate(who), np.concatenate(success)

    def tally(member: np.ndarray) -> Tally:
        side = member[person]
        return _rates(held[side], held[~side])

    return Attack("stored_values", "share of values that one person alone has and the model's tables hold", tally)


def singling_out(records: Records, kind: str, guesses: list[np.ndarray]) -> Attack:
    """Guesses that exactly one person has certain properties.

    Args:
      guesses: positions of the people who have the properties, for each guess.
    """
    ends = np.cumsum([0, *(len(found) for found in guesses)])
    places = np.concatenate([np.empty(0, dtype=int), *guesses])
    has = csr_array((np.ones(len(places), dtype=np.int32), places, ends), shape=(len(guesses), records.people.size))

    def tally(member: np.ndarray) -> Tally:
        inside, outside = (np.asarray(has @ side.astype(np.int32)) for side in (member, ~member))
        return _rates(inside == 1, outside == 1)

    return Attack("singling_out", f"success of guessing that one person alone has {kind}", tally, secret=kind)


def linkability(records: Records, people: Points, twins: Points, neighbours: int) -> Attack:
    """Whether a twin is among the nearest by every other attribute and also among the nearest by the rest."""
    attacked = people.take(records.attacked)
    halves = records.names[::2], records.names[1::2]
    count = min(neighbours, records.twins.size)
    one, other = (nearest(attacked.only(half), twins.only(half), count)[1] for half in halves)
    linked = (one[:, :, None] == other[:, None, :]).any(axis=(1, 2))
    return Attack(
        "linkability", "success of linking two halves of a record by a twin", partial(_tally_people, records, linked)
    )


def inference(records: Records, people: Points, twins: Points, secret: str, tolerance: float) -> Attack:
    """Whether the twin who is nearest by everything else has a person's secret."""
    attacked = records.attacked
    rest = [name for name in records.names if name != secret]
    where = nearest(people.take(attacked).only(rest), twins.only(rest), 1)[1][:, 0]
    if secret in records.people.numbers:
        truth, guess = records.people.numbers[secret], records.twins.numbers[secret][where]
        error = np.abs(guess - truth[attacked])
        # Half a step more, for sums of steps are not exact.
        right = error <= tolerance * _spread(truth) + 0.5 * records.steps[secret] * 1e-6
    else:
        truth, guess = records.people.categories[secret], records.twins.categories[secret][where]
        right = (guess == truth[attacked]) & (guess >= 0)
    return Attack(
        "inference", f"success of inferring {secret} from a twin", partial(_tally_people, records, right), secret=secret
    )


def _tally_people(records: Records, success: np.ndarray, member: np.ndarray) -> Tally:
    """`success` of every attacked person."""
    side = member[records.attacked]
    return _rates(success[side], success[~side])


def _rates(inside: np.ndarray, outside: np.ndarray) -> Tally:
    tallies = [(int(np.count_nonzero(success)), len(success)) for success in (inside, outside)]
    (a, n), (b, m) = tallies
    return Tally(tallies[0], tallies[1], chance.plain_residual(a / max(n, 1), b / max(m, 1)))


def _spread(values: np.ndarray) -> float:
    """Interquartile range as a standard deviation; the standard deviation where more than half are equal."""
    known = values[np.isfinite(values)]
    low, high = np.quantile(known, [0.25, 0.75])
    return float(high - low) / 1.349 or float(np.std(known))
