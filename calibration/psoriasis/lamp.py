"""Patients under phototherapy: what was given to and seen of each, and the model's course under those doses."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from ...core.engine.rosenbrock import Drive, State, step
from ...core.psoriasis.model import BLOCKED, Individual, drift, plaque_rate, share

FILE = Path(__file__).parent / "evidence" / "phototherapy.csv"
WEEKS = 12  # of weekly visits
SESSIONS = 33  # columns of doses
SESSION_DAYS = (0, 2, 4)  # of a week: Monday, Wednesday, Friday
ABSENT = ("LTFU", "WD")  # lost to follow-up, withdrawn
MONTH = 30.4375  # days
STEPS = 2  # a day, under treatment
STEPS_AFTER = 2  # a week, once the last light has decayed


@dataclass(frozen=True)
class Patients:
    """People under phototherapy; all but the doses as shares of their PASI before it.

    ids: as published, (patients,). weekly: at the end of each week, (patients, weeks), NaN where not seen.
    doses: J/cm2 of each session, (patients, sessions), 0 after the last.
    baseline: PASI before treatment. end: last share under treatment. last_week: the week of it.
    relapse: share when last seen after treatment, NaN where not seen. relapse_day: days from the first session.
    """

    ids: np.ndarray
    baseline: np.ndarray
    weekly: np.ndarray
    doses: np.ndarray
    end: np.ndarray
    last_week: np.ndarray
    relapse: np.ndarray
    relapse_day: np.ndarray

    @property
    def size(self) -> int:
        return len(self.ids)

    def carried(self) -> np.ndarray:
        """Weekly shares with the last one carried forward, from the first week on: (patients, weeks)."""
        filled = self.weekly.copy()
        previous = np.ones(self.size)
        for week in range(filled.shape[1]):
            filled[:, week] = np.where(np.isnan(filled[:, week]), previous, filled[:, week])
            previous = filled[:, week]
        return filled

    def lost_half(self) -> np.ndarray:
        """1 where more than half of the improvement was lost when last seen, 0 where not, NaN where not seen."""
        lost = self.relapse > (1 + self.end) / 2
        return np.where(np.isnan(self.relapse), np.nan, lost)

    def relative_doses(self) -> np.ndarray:
        """Doses over the patient's first, a share of their own minimal erythema dose, times the median first one."""
        first = self.doses[:, :1]
        return self.doses / first * float(np.median(first))


def read_patients(file: Path = FILE) -> Patients:
    """Patients with doses, from a table of one row a patient.

    Raises:
      ValueError: a column is missing, or a value cannot be read; file, row and column are named.
    """
    with file.open(newline="", encoding="utf-8") as text:
        reader = csv.DictReader(text)
        wanted = ["ID", "PASI_PRE_TREATMENT", "PASI_END_TREATMENT", "LAST_FU_PASI", "LAST_FU_MONTH"]
        wanted += [f"PASI_END_WEEK_{w}" for w in range(1, WEEKS + 1)] + [
            f"UVB_DOSE_{s}" for s in range(1, SESSIONS + 1)
        ]
        missing = set(wanted) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{file.name}: no column {', '.join(sorted(missing))}")
        rows = [row for row in reader if row["UVB_DOSE_1"]]
    if not rows:
        raise ValueError(f"{file.name}: no patient with a dose")

    def column(name: str, words: tuple[str, ...] = ()) -> np.ndarray:
        return np.array([_number(row[name], words, f"{file.name}: patient {row['ID']}: {name}") for row in rows])

    baseline = column("PASI_PRE_TREATMENT")
    if not (baseline > 0).all():
        raise ValueError(f"{file.name}: PASI_PRE_TREATMENT: expected a PASI above 0 of every patient")
    weekly = np.stack([column(f"PASI_END_WEEK_{w}") for w in range(1, WEEKS + 1)], axis=1) / baseline[:, None]
    doses = np.nan_to_num(np.stack([column(f"UVB_DOSE_{s}") for s in range(1, SESSIONS + 1)], axis=1))
    if (doses < 0).any():
        raise ValueError(f"{file.name}: UVB_DOSE_1 to UVB_DOSE_{SESSIONS}: expected doses of at least 0")
    unseen = np.isnan(weekly).all(1)
    if unseen.any():
        raise ValueError(f"{file.name}: patient {rows[int(np.argmax(unseen))]['ID']}: no PASI in any week")
    last = WEEKS - np.argmax(~np.isnan(weekly)[:, ::-1], axis=1)
    later = column("LAST_FU_PASI", ABSENT) / baseline
    day = 7 * last + MONTH * np.where(np.isnan(later), np.nan, column("LAST_FU_MONTH", ABSENT))
    ids = np.array([int(row["ID"]) for row in rows])
    return Patients(ids, baseline, weekly, doses, column("PASI_END_TREATMENT") / baseline, last, later, day)


def _number(text: str, words: tuple[str, ...], where: str) -> float:
    if text.strip() in ("", *words):
        return np.nan
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: expected a number, got {text!r}") from None


def plaques(
    doses: np.ndarray | Array,
    theta: Mapping[str, Any],
    shared: Array,
    sensitivities: Array,
    deviations: Array,
    weeks: int,
) -> Array:
    """Plaque activity at the end of every week: (patients, sensitivities, people, 1 + weeks), 1 at week 0.

    Args:
      doses: J/cm2 of each session, three a week, (patients, sessions).
      theta: parameters of the disease. shared: `light.memory`, `light.plaque`, `nb_uvb.clearance`.
      sensitivities: cm2/J/day. deviations: standard normal, (2, people), as `_person` takes them.
      weeks: to follow.
    """
    shape = (doses.shape[0], sensitivities.shape[0], deviations.shape[1])
    sensitivity = jnp.broadcast_to(sensitivities[None, :, None], shape).reshape(-1)
    everybody = jnp.broadcast_to(deviations[:, None, None, :], (2, *shape)).reshape(2, -1)
    person = _person(dict(theta) | {"light.memory": shared[0], "light.plaque": shared[1]}, everybody)
    none, decay = jnp.zeros_like(sensitivity), shared[2]

    def drive(light: Array) -> Drive:
        value = (*(none,) * len(BLOCKED), sensitivity * light, none, jnp.ones_like(none))
        return Drive(value, tuple(-decay * v if n == len(BLOCKED) else none for n, v in enumerate(value)))

    def follow(carry: tuple[State, Array], dose: Array, h: float, steps: int) -> tuple[State, Array]:
        def once(_: int, now: tuple[State, Array]) -> tuple[State, Array]:
            state, light = now
            later = light * jnp.exp(-decay * h)
            return step(partial(drift, person), state, drive(light), drive(later), jnp.asarray(h)), later

        return lax.fori_loop(0, steps, once, (carry[0], carry[1] + dose))

    def day(carry: tuple[State, Array], dose: Array) -> tuple[tuple[State, Array], Array]:
        after = follow(carry, jnp.repeat(dose, shape[1] * shape[2]), 1 / STEPS, STEPS)
        return after, after[0][4]

    def week(carry: tuple[State, Array], _: None) -> tuple[tuple[State, Array], Array]:
        after = follow(carry, none, 7 / STEPS_AFTER, STEPS_AFTER)
        return after, after[0][4]

    treated = -(-doses.shape[1] // len(SESSION_DAYS)) + 2  # two weeks more, in which the light decays
    daily = _by_day(jnp.asarray(doses), treated)[: 7 * min(weeks, treated)]
    carry, courses = lax.scan(day, (((jnp.ones_like(none),) * 6), none), daily)
    _, later = lax.scan(week, carry, None, length=max(weeks - treated, 0))
    course = jnp.concatenate([jnp.ones_like(none)[None], courses[6::7], later])
    return jnp.moveaxis(course.reshape(-1, *shape), 0, -1)


def at_days(course: Array, days: np.ndarray) -> Array:
    """A weekly course (patients, ..., weeks) on one day of each patient, (patients,): linear between weeks."""
    week = np.minimum((days // 7).astype(int), course.shape[-1] - 2)
    past = jnp.asarray(days / 7 - week).reshape(-1, *(1,) * (course.ndim - 2))
    picked = [course[np.arange(len(week)), ..., week + later] for later in (0, 1)]
    return picked[0] * (1 - past) + picked[1] * past


def _by_day(doses: Array, weeks: int) -> Array:
    """Doses of each day, (days, patients)."""
    sessions = jnp.pad(doses, ((0, 0), (0, weeks * len(SESSION_DAYS) - doses.shape[1])))
    daily = (
        jnp.zeros((doses.shape[0], weeks, 7))
        .at[:, :, jnp.array(SESSION_DAYS)]
        .set(sessions.reshape(doses.shape[0], weeks, len(SESSION_DAYS)))
    )
    return daily.reshape(doses.shape[0], -1).T


def _person(theta: dict[str, Any], deviations: Array) -> Individual:
    """Someone under light alone, by their deviations of the plaque's turnover and of what needs no IL-23.

    What drugs, triggers and the rater's eye would need is left out.
    """
    none = jnp.zeros_like(deviations[0])
    everything: Any = dict.fromkeys(Individual._fields) | {
        "theta": theta,
        "plaque_rate": plaque_rate(deviations[0], theta),
        "il23_free": share("il23_free", deviations[1], theta),
        "il17f_share": share("il17f_share", none, theta),  # without drugs it makes no difference
        "topical_block": none,
        "topical_clearing": none,
    }
    return Individual(**everything)
