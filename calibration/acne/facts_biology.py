"""Sebum, follicles and bacteria under treatment, and what sebum has to do with lesions, beside published facts."""

from collections.abc import Iterator

import numpy as np
from scipy.special import expit

from ..evidence.regimens import Course
from .enrolled import USUAL, WOMEN
from .evidence.regimens import read_acne_courses
from .evidence.targets import Change, changes, checks
from .follow import WEEK, Followed, Scene, nothing
from .found import Found, about, at_least, at_most, between, largest_fall, near, number

GROUP, SEBUM = "biology", "sebum and lesions"
CHOSEN_BY = {  # facts by which parameters were chosen
    *("sebum_isotretinoin", "sebum_isotretinoin_low", "bacteria_benzoyl_peroxide", "bacteria_clindamycin"),
    *("bacteria_doxycycline_low", "resistant_bacteria_doxycycline_low"),
}
FALLS = (10, 20, 30, 40, 50, 60, 70, 80)  # per cent of sebum
ASKED = (30, 40, 50)
HALF = -50.0  # per cent of lesions
REDUCING = {  # treatments that reduce sebum, and whom they are given to
    **{
        f"isotretinoin {dose:g} mg/kg": (("isotretinoin", f"{dose:g} mg/kg", 1), USUAL)
        for dose in (0.02, 0.05, 0.1, 0.25)
    },
    **{f"spironolactone {dose} mg": (("spironolactone", f"{dose} mg", 1), WOMEN) for dose in (50, 100, 200)},
    "contraceptive": (("combined_contraceptive", "0.02 mg", 1), WOMEN),
    "clascoterone": (("clascoterone", "1 application", 2), USUAL),
    "laser": (("laser_1726", "1 session", 0), USUAL),
}


def facts(of: Scene) -> Iterator[Found]:
    """All rows of `biology.yaml`, one a week; then lesions against sebum."""
    for change in changes():
        weeks = max(change.change)
        seen = of.follow(change.courses, weeks, USUAL, supervised=True)
        for week, told in change.change.items():
            yield _changed(change, seen, week, told)
    yield from _sebum_alone(of)
    yield from _sebum_by_treatment(of)


def _changed(change: Change, seen: Followed, week: int, told: float) -> Found:
    kind = "log10" if change.measure in ("bacteria", "resistant_bacteria") else "percent"
    kind = "share" if change.measure == "resistant_share" else kind
    tolerance = max(number(f"tolerance.{kind}"), 2 * (change.sd or 0.0))
    values = measured(seen, change.measure, week)
    predicted = float(values.mean())
    if change.statistic == "most" and change.n:
        predicted = largest_fall(values, change.n)
    limits = near(told, tolerance)
    if change.statistic == "least":
        limits = at_most(told + tolerance, (told, told), f"at least as much, or within {tolerance:g}")
    words = f"change of {change.measure.replace('_', ' ')} at week {week}, {_what(change.courses)}"
    words += f", the largest of {change.n} people" if change.statistic == "most" else ""
    unit = {"log10": "log10", "share": "percentage points"}.get(kind, "percent")
    found = about(change, GROUP, words, unit, change.key in CHOSEN_BY, predicted=predicted, **limits)
    return found._replace(check=change.key if len(change.change) == 1 else f"{change.key}_{week}")


def measured(seen: Followed, measure: str, week: int) -> np.ndarray:
    """Change of a measure of `targets.MEASURES` in each person.

    Follicular casts, which are pulled out with glue, are taken as microcomedones; glands as large as their capacity.
    """
    now = seen.at(WEEK * week)
    s = seen.states
    if measure == "sebum":
        return 100 * (s["G"][now] / s["G"][0] - 1)
    if measure == "gland_size":
        return 100 * (s["P"][now] * s["Z"][now] - 1)
    if measure in ("follicular_casts", "microcomedones"):
        return 100 * (s["M"][now] / s["M"][0] - 1)
    resistant = expit(s["q"][[0, now]])
    if measure == "resistant_share":
        return 100 * (resistant[1] - resistant[0])
    lost = s["L"][now] - s["L"][0]
    return lost if measure == "bacteria" else lost + np.log10(resistant[1] / resistant[0])


def _what(courses: tuple[Course, ...]) -> str:
    return " with ".join(dict.fromkeys(course.treatment.replace("_", " ") for course in courses))


def alone(of: Scene, fall: float) -> Followed:
    """People whose sebum alone is lowered by so many per cent, from the first day on, and nothing else done."""
    crowd, left = of.crowd(USUAL), 1 - fall / 100
    weeks = int(number("sebum.alone_weeks"))
    return of.on(crowd, nothing(crowd, weeks), begin={"G": left, "Z": left}, numbers={"model.gland_regrowth": 0.0})


def _sebum_alone(of: Scene) -> Iterator[Found]:
    known = {check.key: check for check in checks()}["sebum_of_half_the_lesions"]
    weeks = int(number("sebum.alone_weeks"))
    lost = {fall: alone(of, fall).change("total", weeks) for fall in FALLS}
    slack = number("tolerance.percent")
    limits = {30: at_least(HALF, rule="not yet halved"), 50: at_most(HALF, rule="halved"), 40: near(HALF, slack)}
    for fall in ASKED:
        words = f"change of all lesions {weeks} weeks after sebum alone fell by {fall} %"
        found = about(known, SEBUM, words, "percent", predicted=lost[fall], **limits[fall])
        yield found._replace(check=f"sebum_alone_{fall}")
    words = f"fall of sebum alone at which all lesions are halved after {weeks} weeks"
    falls = [0.0, *FALLS]
    halved = crossing(falls, [0.0, *lost.values()], HALF)
    found = about(known, SEBUM, words, known.unit, predicted=halved, **between(known.low, known.high))
    yield found._replace(check="sebum_alone_half")


def crossing(places: list[float], values: list[float], level: float) -> float:
    """Where values that fall first reach a level, by straight lines; infinite where they do not."""
    below = np.flatnonzero(np.asarray(values) <= level)
    if not len(below):
        return float("inf")
    at = int(below[0])
    if at == 0:
        return places[0]
    (x, y), (x_, y_) = ((places[i], values[i]) for i in (at - 1, at))
    return x + (x_ - x) * (level - y) / (y_ - y)


def reducing(of: Scene) -> dict[str, tuple[float, float, float]]:
    """By treatment: change of sebum, of all lesions, and of inflammatory ones in per cent, as a trial finds them."""
    week = int(number("sebum.weeks"))
    found = {}
    for name, ((treatment, dose, often), entry) in REDUCING.items():
        given = {"times_a_day": often, "weeks": [0], "until": week} if often else {"weeks": [0, 3, 6]}
        told = {"treatment": treatment, "dose": dose, **given}
        if treatment == "clascoterone":
            told["strength"] = 1
        seen = of.follow(read_acne_courses({"regimen": [told]}, name), week, entry)
        sebum = float(measured(seen, "sebum", week).mean())
        found[name] = sebum, seen.change("total", week), seen.change("inflammatory", week)
    return found


def _sebum_by_treatment(of: Scene) -> Iterator[Found]:
    known = {check.key: check for check in checks()}["sebum_of_half_the_lesions"]
    found = np.array(list(reducing(of).values()))
    for place, kind in ((1, "all lesions"), (2, "inflammatory lesions")):
        slope, level = np.polyfit(found[:, 0], found[:, place], 1)
        words = f"fall of sebum at which {kind} are halved, on the line through {len(found)} treatments that reduce it"
        told = {"predicted": float((level - HALF) / slope), **between(known.low, known.high)}
        found_ = about(known, SEBUM, words, known.unit, **told)
        yield found_._replace(check=known.key if place == 1 else f"{known.key}_inflammatory")
