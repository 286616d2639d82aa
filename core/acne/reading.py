"""What is read at a visit: counts, the investigator's grade, quality of life, tolerability, laboratory signals."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import expit, log_ndtr, ndtri

from ..keys import normals, uniforms
from . import lesions
from .equilibrium import Counts
from .lesions import Face, today

Theta = dict[str, Array]
SIGNS: tuple[str, ...] = ("erythema", "dryness", "scaling", "stinging")
CUTS = ("almost_clear", "mild", "moderate", "severe")  # lowest grades 1 to 4
TYPICAL = ("typical_mild", "typical_moderate", "typical_severe")  # faces of grades 2 to 4
QUALITY, DLQI = 30.0, 30.0  # most points
WORST = 3.0  # grade of a sign
BEYOND = 1e6  # any severity; finite, so that slopes in the scale of grading are
OWN = ("quality", "dlqi", *SIGNS, "triglycerides", "alt", "triglycerides rise", "alt rise")  # what differs by person
NOISE = ("comedones", "inflammatory", "grade", "quality", "dlqi", *SIGNS, "triglycerides", "alt")  # and by visit


class Report(NamedTuple):
    """How a person's face is graded and felt, (people,); what concerns several signs or values: (signs, people).

    grader: normal score of the investigator's grade at baseline. anchor: what is added to severity at later visits, as
    the investigator has the grade of baseline in mind. quality, dlqi: points above or below those of others
    with as many lesions. irritable: of each of SIGNS, over the typical person. lips: uniform threshold of cheilitis.
    triglycerides, alt: before treatment, mg/dL and U/L; rises: of both under isotretinoin, over the typical ones.
    """

    grader: Array
    anchor: Array
    quality: Array
    dlqi: Array
    irritable: Array
    lips: Array
    triglycerides: Array
    alt: Array
    rises: Array


def report(keys: Array, twins: dict[str, Array], rest: Counts, seen: Face, theta: Theta) -> Report:
    """Draw each person's report; the investigator grades the untreated face as the twin's `iga` says."""

    own: dict[str, Array] = dict(zip(OWN, normals(keys, "report", shape=(len(OWN),)), strict=True))

    def drawn(*names: str) -> Array:
        return jnp.stack([own[name] for name in names])

    def spread(name: str) -> Array:
        return theta[f"{name}:sd"] * own[name.split(".")[1]]

    luck = uniforms(keys, "report luck", shape=(2,))
    before = severity(rest, today(seen, jnp.asarray(0.0), theta).activity, theta)
    return Report(
        grader(luck[0], twins["iga"], before, theta),
        anchor(typical(theta)[twins["iga"] - 2], before, theta),
        theta["quality.level:sd"] * own["quality"],
        theta["dlqi.level:sd"] * own["dlqi"],
        jnp.exp(theta["tolerability.person:sd"] * drawn(*SIGNS)),
        luck[1],
        theta["laboratory.triglycerides"] * jnp.exp(spread("laboratory.triglycerides")),
        theta["laboratory.alt"] * jnp.exp(spread("laboratory.alt")),
        jnp.exp(theta["laboratory.rise:sd"] * drawn("triglycerides rise", "alt rise")),
    )


def severity(at: Counts, activity: Array, theta: Theta) -> Array:
    """What the grade goes by: mostly the inflammatory lesions, on a logarithmic scale."""
    nodules = activity * at.D
    inflammatory, comedones = activity * (at.Pa + at.Pu) + nodules, activity * (at.Cc + at.Co)
    return jnp.log1p(inflammatory) + theta["iga.comedones"] * jnp.log1p(comedones) + theta["iga.nodule"] * nodules


def typical(theta: Theta) -> Array:
    """Severity of the faces that grades 2 to 4 call to mind, (3,)."""
    return jnp.stack([jnp.asarray(theta[f"iga.{name}"], dtype="float64") for name in TYPICAL])


def anchor(typical: Array, before: Array, theta: Theta) -> Array:
    """What is added to the severity of later visits: the investigator goes partly by how much less there is than at
    baseline, when the face was given a grade, whatever its severity was."""
    return theta["iga.anchor"] * (typical - before)


def cuts(theta: Theta) -> Array:
    """Between the grades 0 to 4 of severity, as the trial's raters see it, (4,)."""
    return jnp.stack([jnp.asarray(theta[f"iga.{name}"], dtype="float64") for name in CUTS]) - theta["trial.rater"]


def grader(chance: Array, grade: Array, severe: Array, theta: Theta) -> Array:
    """Normal scores with which faces of this severity get this grade, by uniform draws."""
    known = cuts(theta)
    between = jnp.concatenate([jnp.full(1, -BEYOND), known, jnp.full(1, BEYOND)])
    number = grade.astype("int32")
    low, high = (expit((between[n] - severe) / theta["iga.scale"]) for n in (number, number + 1))
    inside = jnp.clip(low + (0.001 + 0.998 * chance) * (high - low), 1e-15, 1 - 1e-15)
    return ndtri(inside)


def grades(score: Array, severe: Array, anchor: Array, theta: Theta) -> Array:
    """Grades 0 to 4 of faces of this severity, by normal scores of the investigator: logistic about the cuts.

    anchor: what is added to severity, but where a face is still severe by itself.
    """
    seen = severe + theta["iga.scale"] * logistic(score)
    *lower, worst = cuts(theta)
    below = ((seen + anchor)[None, :] >= jnp.stack(lower)[:, None]).sum(0, dtype="float64")
    return jnp.where(seen >= worst, 4.0, below)


def logistic(score: Array) -> Array:
    """A logistic deviation from a normal score."""
    return log_ndtr(score) - log_ndtr(-score)


class Skin(NamedTuple):
    """What there is to read, (people,): mean lesions, dark marks, scars, irritation, isotretinoin (0 to 1)."""

    lesions: Counts
    marks: Array
    scars: Array
    barrier: Array
    isotretinoin: Array


def read(keys: Array, person: Report, seen: Face, skin: Skin, day: Array, theta: Theta) -> dict[str, Array]:
    """One visit's readings, the details among them; keys, one a person and visit, (people,)."""
    at, now = skin.lesions, today(seen, day, theta)
    noise: dict[str, Array] = dict(zip(NOISE, normals(keys, "reading", shape=(len(NOISE),)), strict=True))
    means = now.activity[None, :] * jnp.stack([at.Cc, at.Co, at.Pa, at.Pu, at.D])
    closed, open_, papules, pustules, nodules = lesions.count(
        noise["comedones"], noise["inflammatory"], seen, now, means, theta
    )
    severe = severity(at, now.activity, theta)
    later = jnp.where(day == 0, 0.0, 1.0)
    inflammatory, comedones = papules + pustules + nodules, closed + open_
    counted = {
        "inflammatory": inflammatory,
        "noninflammatory": comedones,
        "total": inflammatory + comedones,
        "nodules": nodules,
        "iga": grades(_score(noise["grade"], person.grader, day, theta), severe, later * person.anchor, theta),
        "acne_qol": _quality(noise["quality"], person, severe, at.E + skin.marks, theta),
        "dlqi": _dlqi(noise["dlqi"], person, severe, theta),
    }
    parts = {"closed": closed, "open": open_, "papules": papules, "pustules": pustules}
    marks = {"macules": jnp.round(now.activity * at.E), "pih": jnp.round(skin.marks), "scars": jnp.round(skin.scars, 1)}
    signs = _tolerability(noise, person, skin.barrier, skin.isotretinoin, theta)
    return counted | signs | parts | marks | _laboratory(noise, person, skin.isotretinoin, theta)


def _score(noise: Array, baseline: Array, day: Array, theta: Theta) -> Array:
    """The investigator's score: that of baseline on that day, later partly a new one at each visit."""
    shared = theta["iga.shared"]
    return jnp.where(day == 0, baseline, shared * baseline + jnp.sqrt(1 - shared**2) * noise)


def _quality(noise: Array, person: Report, severe: Array, spots: Array, theta: Theta) -> Array:
    burden = theta["quality.severity"] * severe + theta["quality.spots"] * spots
    level = QUALITY - burden + person.quality
    return jnp.clip(jnp.round(level + theta["quality.reading:sd"] * noise), 0, QUALITY)


def _dlqi(noise: Array, person: Report, severe: Array, theta: Theta) -> Array:
    level = theta["dlqi.level"] + theta["dlqi.severity"] * severe + person.dlqi
    return jnp.clip(jnp.round(level + theta["dlqi.reading:sd"] * noise), 0, DLQI)


def _tolerability(
    noise: dict[str, Array], person: Report, barrier: Array, isotretinoin: Array, theta: Theta
) -> dict[str, Array]:
    found = {}
    for number, sign in enumerate(SIGNS):
        felt = theta[f"tolerability.{sign}"] * barrier * person.irritable[number]
        seen = felt * (1 + theta["tolerability.reading:sd"] * noise[sign])
        found[sign] = jnp.clip(jnp.round(seen), 0, WORST)
    found["cheilitis"] = jnp.where(person.lips < theta["laboratory.cheilitis"] * isotretinoin, 1.0, 0.0)
    return found


def _laboratory(noise: dict[str, Array], person: Report, isotretinoin: Array, theta: Theta) -> dict[str, Array]:
    def value(name: str, before: Array, rise: Array) -> Array:
        risen = 1 + theta[f"laboratory.{name}_rise"] * rise * isotretinoin
        return jnp.round(before * risen * jnp.exp(theta["laboratory.reading:sd"] * noise[name]))

    return {
        "triglycerides": value("triglycerides", person.triglycerides, person.rises[0]),
        "alt": value("alt", person.alt, person.rises[1]),
    }
