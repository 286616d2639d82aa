"""The privacy tests of a fitted model, and the refusal to export one that memorises."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from ..fitting.data import Data
from . import attacks, chance, guesses
from .attacks import Attack, Tally
from .records import Records, gather
from .settings import Settings, settings
from .space import place

SHARP = ("nearest_record", "membership")  # must be able to tell chance from the threshold: lack of people is no pass


class Risk(NamedTuple):
    """How much one attack gains from the twins, beyond what it gains on people the model never saw.

    attack_rate, control_rate: success on people of the fit and on people held out; None where the test has no rates.
    risk: residual risk (r - c) / (1 - c) [giomi2023], or an area or a share; with limits.
    blind: the risk of a model that gives nothing away: 0, or 0.5 of an area or a share.
    null_low, null_high: between which the risk of a blind model lies, all tests together, at the confidence.
    threshold: not to be exceeded by the upper limit of a residual risk, or by the value of another one.
    asked: whether the test is sharp enough for its threshold; it is not where guesses are few or nearly all right.
    within_null: the risk is not above its null interval: no sign of memory. Below it is no leak either.
    passed: the limits reach down to the null interval and, where it is asked, the threshold is kept.
    """

    name: str
    attack_rate: float | None
    control_rate: float | None
    risk: float
    low: float
    high: float
    blind: float
    null_low: float
    null_high: float
    threshold: float
    asked: bool
    within_null: bool
    passed: bool
    about: str


class Privacy(NamedTuple):
    """The risks, and by name the tests that could not be done, each with the reason.

    people: of the fit, and as many held out. twins: compared with them.
    """

    risks: tuple[Risk, ...]
    left_out: dict[str, str]
    people: int
    twins: int

    @property
    def passed(self) -> bool:
        return all(risk.passed for risk in self.risks)

    @property
    def within_null(self) -> bool:
        return all(risk.within_null for risk in self.risks)


def assess(
    train: Data,
    control: Data,
    twins: Data,
    seed: int,
    *,
    secrets: Sequence[str] | None = None,
    stored: Mapping[str, np.ndarray] | None = None,
    how: Settings | None = None,
) -> Privacy:
    """Attack the people a model was fitted to with twins drawn from it.

    What memory is, chance tells: a blind model's risks are those that come out when the sampling units are divided
    otherwise between fitted and held out, the twins staying as they are. Memory widens its own null interval, since
    whole units are then near to twins; so there are thresholds beside it.

    Args:
      train: people the model was fitted to.
      control: people held out, of other sampling units.
      twins: at least as many as `train`; more make sharper tests.
      seed: of the samples, guesses and rearrangements.
      secrets: attributes whose inference is tested; some, by the seed, when not given.
      stored: values in the tables of the model itself, by number, in any shape.

    Raises:
      ValueError: groups too small, sharing sampling units or having no attributes in common; an unknown secret.
    """
    how = how or settings()
    rng = np.random.default_rng(seed)
    records = gather(train, control, twins, people=how.people, attacks=how.attacks, resolution=how.resolution, rng=rng)
    others = chance.rearranged(
        records.member,
        records.people.clusters,
        records.people.strata,
        times=how.rearrangements,
        fewest=how.fewest_arrangements,
        rng=rng,
    )
    left_out: dict[str, str] = {}
    made = list(_attacks(records, _secrets(records, secrets, how, rng), stored or {}, how, rng, left_out))
    risks = tuple(_judge(attack, records.member, others, len(made), how) for attack in made)
    return Privacy(risks, left_out, int(records.member.sum()), records.twins.size)


def refuse(privacy: Privacy) -> None:
    """Pass a model that does not memorise; to be called before it is exported.

    Raises:
      ValueError: a test failed; says which, by how much, and what to do.
    """
    failed = [risk for risk in privacy.risks if not risk.passed]
    if not failed:
        return
    lines = [
        f"  {r.name}: risk {r.risk:.3f} ({r.low:.3f} to {r.high:.3f}), by chance up to {r.null_high:.3f},"
        f" allowed {r.threshold:.2f}"
        for r in failed
    ]
    if any(not r.within_null for r in failed):
        why = "its twins give away people it was fitted to"
        advice = "Give it less to remember: fewer cells, and more people for each to borrow."
    else:
        why = f"{privacy.people} people and as many held out are too few to show that its twins give nobody away"
        advice = "Fit it to more people or more sampling units; fewer cells also help."
    raise ValueError("\n".join([f"privacy: the model is not exported; {why}:", *lines, advice]))


def _attacks(
    records: Records,
    secrets: Sequence[str],
    stored: Mapping[str, np.ndarray],
    how: Settings,
    rng: np.random.Generator,
    left_out: dict[str, str],
) -> Iterator[Attack]:
    people, twins = place(records.people, records.twins)
    yield attacks.exact_copies(records)
    yield attacks.nearest_record(people, twins)
    yield from attacks.by_distance(records, people, twins, how.nearest_share)
    count = min(how.attributes, len(records.names) - 1)
    several = guesses.multivariate(records, how.attacks, tries=how.tries, attributes=count, window=how.window, rng=rng)
    made = [
        attacks.singling_out(records, "a value", guesses.univariate(records, how.attacks, rng)),
        attacks.singling_out(records, "some values", several),
    ]
    shown = {name: values for name, values in stored.items() if name in records.people.numbers}
    if shown:
        made.append(attacks.stored_values(records, shown))
    for attack in made:
        tally = attack.tally(records.member)
        fewest = min(tally.attack[1], tally.control[1])
        if fewest >= how.fewest_guesses:
            yield attack
        else:
            left_out[name_of(attack)] = f"only {fewest} guesses, fewer than {how.fewest_guesses}"
    yield attacks.linkability(records, people, twins, how.neighbours)
    for secret in secrets:
        yield attacks.inference(records, people, twins, secret, how.tolerance)


def name_of(attack: Attack) -> str:
    return f"{attack.test} ({attack.secret})" if attack.secret else attack.test


def _secrets(
    records: Records, wanted: Sequence[str] | None, how: Settings, rng: np.random.Generator
) -> tuple[str, ...]:
    if wanted is None:
        order = rng.permutation(len(records.names))[: how.secrets]
        return tuple(records.names[j] for j in np.sort(order))
    unknown = [name for name in wanted if name not in records.names]
    if unknown:
        raise ValueError(f"privacy: no attribute {', '.join(unknown)}; there are {', '.join(records.names)}")
    return tuple(wanted)


def _judge(attack: Attack, member: np.ndarray, others: np.ndarray, tests: int, how: Settings) -> Risk:
    tally = attack.tally(member)
    null = np.array([attack.tally(other).statistic for other in others])
    # Each test has its part of the error that all may make together (Bonferroni).
    tail = (1 - how.confidence) / tests
    null_low, null_high = (float(np.quantile(null, q)) for q in (tail, 1 - tail))
    threshold = how.threshold[attack.test]
    rates = [successes / attempts if attempts else None for successes, attempts in (tally.attack, tally.control)]
    if tally.attack[1]:
        value, low, high = chance.residual(*(chance.wilson(*r, how.confidence) for r in (tally.attack, tally.control)))
        asked = _blind_half_width(tally, how.confidence) <= how.sharp * threshold
        kept = high <= threshold
    else:
        value, half = tally.statistic, _half_width(null, how.confidence)
        low, high = value - half, min(value + half, 1.0)
        asked = True
        kept = value <= threshold and (null_high <= threshold or attack.test not in SHARP)
    return Risk(
        name=name_of(attack),
        attack_rate=rates[0],
        control_rate=rates[1],
        risk=value,
        low=low,
        high=high,
        blind=attack.blind,
        null_low=null_low,
        null_high=null_high,
        threshold=threshold,
        asked=asked,
        within_null=tally.statistic <= null_high,
        passed=low <= null_high and (kept or not asked),
        about=attack.about,
    )


def _blind_half_width(tally: Tally, confidence: float) -> float:
    """Half the width that the interval has when people of the fit are hit as often as others."""
    control = chance.wilson(*tally.control, confidence)
    found = chance.residual(control, control)
    return found.high - found.value


def _half_width(null: np.ndarray, confidence: float) -> float:
    return float(ndtri((1 + confidence) / 2) * np.std(null))
