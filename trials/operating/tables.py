"""The results of a design in words and tables, for the terminal and the report.

All functions take what `results.json` holds; null stands for what does not exist.
"""

from typing import Any

from .settings import IN_SUBGROUP

Rows = tuple[list[str], list[list[str]]]
NOTHING = "-"
MODEL, NULLS = "model", ("null as comparator", "null as arm")
BIASED = 2.0  # Monte Carlo standard errors from the nominal value at which a figure is pointed out


def figures(results: dict[str, Any], **wanted: Any) -> list[dict[str, Any]]:
    """The figures with these properties, in their order."""
    return [row for row in results["figures"] if all(row[key] == value for key, value in wanted.items())]


def one(results: dict[str, Any], **wanted: Any) -> dict[str, Any] | None:
    """The first of them; None if there is none."""
    return next(iter(figures(results, **wanted)), None)


def shown(figure: dict[str, Any] | None, percent: bool = True, digits: int = 4) -> str:
    """A figure with its Monte Carlo standard error.

    >>> shown({"value": 0.9012, "mcse": 0.0030})
    '90.1 ± 0.3 %'
    """
    if figure is None or figure["value"] is None:
        return NOTHING
    value, error = figure["value"], figure["mcse"]
    if percent:
        places = 1 if error is None or error >= 0.0005 else 2
        told = NOTHING if error is None else f"{100 * error:.{places}f}"
        return f"{100 * value:.{places}f} ± {told} %"
    return f"{value:.{digits}g} ± {NOTHING if error is None else f'{error:.2g}'}"


def power(results: dict[str, Any]) -> Rows:
    """Power, type I error and size of the decisive analysis, one row a size."""
    name, looks = results["decisive"], len(results["bounds"]["looks"])
    error = "familywise error" if together(results) else "rejection"
    head = ["people", "power", "type I error", "type I error", "bias", "coverage"]
    under = ["", "", "(both as comparator)", "(both as arm)", "", ""]
    if doses_ := bool(results["design"].get("dose_finding")):  # whose estimate, a dose, has no true value
        head, under = head[:4], ["", "", "(all as placebo)", "(all as the arm)"]
    head = [f"{a} {b}".strip() for a, b in zip(head, under, strict=True)]
    if looks > 1:
        head.insert(2, "expected people")
    if results["assurance"]:
        head.insert(2, "assurance")
    rows = []
    for size in results["sizes"]:
        of = {"analysis": name, "size": size}
        row = [
            f"{size:,}",
            shown(one(results, measure="success", hypothesis=MODEL, **of)),
            *(shown(one(results, measure=error, hypothesis=null, **of)) for null in NULLS),
        ]
        if not doses_:
            row.append(shown(one(results, measure="bias", hypothesis=MODEL, **of), percent=False, digits=2))
            row.append(shown(one(results, measure="coverage", hypothesis=MODEL, **of)))
        if looks > 1:
            expected = one(results, measure="expected size", hypothesis=MODEL, **of)
            row.insert(2, shown(expected, percent=False))
        if results["assurance"]:
            found = next((a for a in results["assurance"] if a["size"] == size), None)
            row.insert(2, shown(found))
        rows.append(row)
    return head, rows


def together(results: dict[str, Any]) -> list[str]:
    """The analyses that are tested together; none where one decides alone."""
    if results["design"]["enrich"]:
        return [results["decisive"], IN_SUBGROUP.format(results["decisive"])]
    if found := results["design"].get("factorial"):
        return [f"{found[arm]} at the margins" for arm in ("first", "second")]
    for way in ("family", "select", "adapt", "platform"):
        if results["design"][way]:
            return results["design"][way]["analyses"]
    return []


def hypotheses(results: dict[str, Any]) -> list[str]:
    """Names of the hypotheses under which trials were tried, in their order."""
    return list(dict.fromkeys(row["hypothesis"] for row in results["figures"]))


def shared(results: dict[str, Any]) -> Rows:
    """What analyses that are tested together show under each hypothesis, one row a size and hypothesis."""
    names, kept = together(results), bool(results["design"]["select"] or results["design"]["enrich"])
    head = ["hypothesis", "people", "familywise error", "any shown", "all shown", *(f"{name} shown" for name in names)]
    head += [f"{name} kept" for name in names] if kept else []
    rows = []
    for size in results["sizes"]:
        for hypothesis in hypotheses(results):
            of = {"size": size, "hypothesis": hypothesis}
            whole = [shown(one(results, measure=measure, analysis=results["decisive"], **of))
                     for measure in ("familywise error", "any shown", "all shown")]  # fmt: skip
            each = [shown(one(results, measure="shown", analysis=name, **of)) for name in names]
            going = [shown(one(results, measure="kept", analysis=name, **of)) for name in names] if kept else []
            rows.append([hypothesis, f"{size:,}", *whole, *each, *going])
    return head, rows


def borrowed(results: dict[str, Any]) -> Rows:
    """What each way of borrowing makes of rejection and bias, one row a size and hypothesis."""
    first = results["decisive"]
    names = [first, *(name for name in results["analyses"] if name != first)]
    called = [name.rsplit(", ", 1)[-1] for name in names]
    head = ["hypothesis", "people", *(f"rejection, {name}" for name in called), *(f"bias, {name}" for name in called)]
    rows = []
    for size in results["sizes"]:
        for hypothesis in hypotheses(results):
            of = {"size": size, "hypothesis": hypothesis}
            hits = [shown(one(results, measure="rejection of the full trial", analysis=name, **of)) for name in names]
            off = [shown(one(results, measure="bias", analysis=name, **of), percent=False, digits=2) for name in names]
            rows.append([hypothesis, f"{size:,}", *hits, *off])
    return head, rows


def doses(results: dict[str, Any]) -> Rows:
    """The target dose of a dose-finding trial, one row a size and hypothesis."""
    prefix, measures = "target dose rounded up to ", ("target dose found", "dose rounded up has the effect")
    arms = list(dict.fromkeys(row["measure"] for row in results["figures"] if row["measure"].startswith(prefix)))
    quantiles = ("5th percentile", "median", "95th percentile")
    head = ["hypothesis", "people", "found", *quantiles, *(f"up to {arm.removeprefix(prefix)}" for arm in arms),
            "next dose has the effect"]  # fmt: skip
    rows = []
    for size in results["sizes"]:
        for hypothesis in hypotheses(results):
            of = {"size": size, "hypothesis": hypothesis}
            rows.append([
                hypothesis, f"{size:,}", shown(one(results, measure=measures[0], **of)),
                *(shown(one(results, measure=f"target dose, {q}", **of), percent=False, digits=3) for q in quantiles),
                *(shown(one(results, measure=arm, **of)) for arm in arms),
                shown(one(results, measure=measures[1], **of)),
            ])  # fmt: skip
    return head, rows


def candidates(results: dict[str, Any]) -> Rows:
    """How often each candidate curve of a dose-finding trial is shown and chosen, one row a size and hypothesis."""
    names = [name for name in results["analyses"] if one(results, analysis=name, measure="chosen")]
    head = ["hypothesis", "people", *(f"{name} shown" for name in names), *(f"{name} chosen" for name in names)]
    rows = [
        [hypothesis, f"{size:,}", *(
            shown(one(results, measure=measure, analysis=name, size=size, hypothesis=hypothesis))
            for measure in ("shown", "chosen") for name in names
        )]
        for size in results["sizes"] for hypothesis in hypotheses(results)
    ]  # fmt: skip
    return head, rows


def choices(results: dict[str, Any]) -> Rows:
    """Who goes on after the look of an enrichment, one row a size and hypothesis."""
    names = ("everybody goes on", "the subgroup goes on alone", "nobody goes on", "shown at the look")
    rows = [
        [hypothesis, f"{size:,}", *(
            shown(one(results, measure=name, size=size, hypothesis=hypothesis)) for name in names
        ), *(
            shown(one(results, measure=f"expected {what}", size=size, hypothesis=hypothesis), percent=False)
            for what in ("size", "screened")
        )]
        for size in results["sizes"] for hypothesis in hypotheses(results)
    ]  # fmt: skip
    return ["hypothesis", "people", *names, "expected people", "expected people looked at"], rows


def allocation(results: dict[str, Any]) -> Rows:
    """Shares of the arms where they are not those of the blocks, one row a size and hypothesis."""
    prefix = "share of people: "
    arms = list(dict.fromkeys(row["measure"] for row in results["figures"] if row["measure"].startswith(prefix)))
    adapts, names = bool(results["design"]["adapt"]), together(results)
    head = ["hypothesis", "people", *(arm.removeprefix(prefix) for arm in arms)]
    head += ["expected responders"] if adapts else [f"controls of {name}" for name in names]
    rows = []
    for size in results["sizes"]:
        for hypothesis in hypotheses(results):
            of = {"size": size, "hypothesis": hypothesis}
            row = [shown(one(results, measure=arm, **of)) for arm in arms]
            if adapts:
                row.append(shown(one(results, measure="expected responders", **of), percent=False))
            else:
                row += [shown(one(results, measure="concurrent controls", analysis=name, **of), percent=False)
                        for name in names]  # fmt: skip
            rows.append([hypothesis, f"{size:,}", *row])
    return head, rows


def zones(results: dict[str, Any]) -> Rows:
    """In which zone trials are when they choose their size, one row a size and hypothesis."""
    names = ("unfavourable", "promising", "favourable")
    rows = [
        [hypothesis, f"{size:,}", *(
            shown(one(results, measure=f"zone: {zone}", size=size, hypothesis=hypothesis)) for zone in names
        ), shown(one(results, measure="expected size", size=size, hypothesis=hypothesis), percent=False)]
        for size in results["sizes"] for hypothesis in hypotheses(results)
    ]  # fmt: skip
    return ["hypothesis", "people", *names, "expected people"], rows


def subgroups(results: dict[str, Any]) -> Rows:
    """The effect in subgroups of the pool."""
    head = ["subgroup", "twins", "mean in the arm", "mean in the comparator", "difference", "standard error"]
    rows = [
        [": ".join(filter(None, (row["factor"], row["level"]))), f"{row['twins']:,}", *(
            NOTHING if number is None else f"{number:.{digits}g}"
            for number, digits in ((row["means"][0], 4), (row["means"][1], 4), (row["difference"], 4), (row["se"], 2))
        )]
        for row in results["subgroups"]
    ]  # fmt: skip
    return head, rows


def imputation(analysis: dict[str, Any]) -> str:
    """What stands for values that are missing, if they are imputed; else nothing."""
    number = analysis.get("options", {}).get("imputations")
    if number is None:
        return ""
    way = analysis["missing"].replace("_", " ")
    made = f"{number} imputations in each replicate" if number else "conditional means and the jackknife"
    return f"; missing values by {way}, {made}"


def estimation(results: dict[str, Any], hypothesis: str = MODEL) -> Rows:
    """How good the estimates are, one row a size and analysis; columns that tell nothing are left out.

    Their mean is told where there is no true value, from which the bias would be.
    """
    under = figures(results, hypothesis=hypothesis)
    mean = any(row["value"] is None for row in under if row["measure"] == "truth")
    lost = any(row["value"] for row in under if row["measure"] == "without an estimate")
    head = ["analysis", "people", "true value", *(["mean"] if mean else []), "bias", "SE of the estimates",
            "mean SE told", "coverage", "rejection", *(["no estimate"] if lost else [])]  # fmt: skip
    shares = ("coverage", "rejection of the full trial", *(["without an estimate"] if lost else []))
    rows = []
    for size in results["sizes"]:
        for name in results["analyses"]:
            of = {"analysis": name, "size": size, "hypothesis": hypothesis}
            numbers = [("bias", 2), ("empirical se", 3)]
            numbers = [("mean estimate", 4), *numbers] if mean else numbers
            rows.append([
                name.replace("_", " "), f"{size:,}", _number(one(results, measure="truth", **of)),
                *(shown(one(results, measure=measure, **of), percent=False, digits=digits)
                  for measure, digits in numbers),
                _number(one(results, measure="mean se", **of), 3),
                *(shown(one(results, measure=measure, **of)) for measure in shares),
            ])  # fmt: skip
    return head, rows


def stopping(results: dict[str, Any]) -> Rows:
    """Where trials end, one row a size, hypothesis and look; for futility only where some do."""
    measures = {"stop": "ends here", "stop for success": "for success", "stop for futility": "for futility"}
    if not any(row["value"] for row in figures(results, measure="stop for futility")):
        del measures["stop for futility"]
    rows = []
    for size in results["sizes"]:
        for hypothesis in hypotheses(results):
            for look, cut in enumerate(results["cuts"][str(size)], start=1):
                of = {"size": size, "hypothesis": hypothesis, "look": look}
                ends = [shown(one(results, measure=measure, **of)) for measure in measures]
                rows.append([hypothesis, f"{size:,}", str(look), f"{cut:,}", *ends])
    return ["hypothesis", "people", "look", "people by then", *measures.values()], rows


def bounds(results: dict[str, Any]) -> Rows:
    """The bounds of each look, as statistics and as p-values."""
    from scipy.stats import norm

    told = results["bounds"]
    sided = told["sided"]
    head = ["look", "share of the people", "success: z at least", f"success: p ({sided}-sided) up to"]
    rows = []
    for number, (look, z) in enumerate(zip(told["looks"], told["efficacy"], strict=True), start=1):
        p = None if z is None else sided * float(norm.sf(z))
        rows.append([str(number), f"{look:g}", NOTHING if z is None else f"{z:.4f}", _p(p)])
    if told["futility"]:
        head.append("futility: z below")
        last = len(rows) - 1
        for number, (row, z) in enumerate(zip(rows, told["futility"], strict=True)):
            row.append(NOTHING if z is None or number == last else f"{z:.4f}")
    return head, rows


def assured(results: dict[str, Any]) -> Rows:
    """Assurance, one row a size."""
    head = ["people", "assurance", "5th to 95th percentile of the power", "draws"]
    rows = [
        [f"{row['size']:,}", shown(row), f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %", str(row["draws"])]
        for row in results["assurance"]
    ]
    return head, rows


def sentences(results: dict[str, Any]) -> list[str]:
    """What a reader should know first."""
    name = results["decisive"]
    of = results["analyses"][name]
    periods = results["design"].get("crossover")  # whose means are of differences between periods
    means = " and ".join(NOTHING if mean is None else f"{mean:.4g}" for mean in of["means"])
    truth = NOTHING if of["truth"] is None else f"{of['truth']:.4g}"
    told = [f"{of['arm']} against {of['comparator']}, {of['outcome']} at week {of['week']}: true {of['estimand']} "
            f"{truth} in the pool{'' if periods else f' (means {means})'}"]  # fmt: skip
    limit = of["limit"]
    if limit is not None and of["truth"] is not None and abs(limit - of["truth"]) > 1e-9:
        why = ", with what the first period leaves behind" if periods else ""
        told.append(
            f"as people are observed, with visits missed and people lost{why}, the analysis tends to {limit:.4g}: "
            f"{limit - of['truth']:+.2g} from the true value, however large the trial"
        )
    told += results.get("notes", [])
    needed, power_ = results["needed"], results["design"]["power"]
    if needed is not None:
        told.append(_needed(needed, power_))
    told += _off(results)
    design = results["design"]
    by = (
        "statsmodels"
        if design.get("factorial")
        else "statsmodels and the fit of one trial"
        if design.get("dose_finding")
        else "the methods for one posterior"
        if design.get("external")
        else None
    )
    for size, found in sorted(results["agreement"].items(), key=lambda item: int(item[0])):
        largest = max(found["largest"].values(), default=0.0)
        told.append(
            f"{int(size):,} people: {found['analyses']:,} analyses done again by {by or 'the routines of a run'}; "
            f"largest difference {NOTHING if largest is None else f'{largest:.1e}'}"
            + (f"; {found['flagged']} without an estimate in one of the two" if found["flagged"] else "")
        )
    return told


def _needed(needed: dict[str, Any], wanted: float) -> str:
    if needed["size"] is None:
        return f"power {wanted:.0%}: not reached by more people (power does not rise with the sizes tried)"
    error = "" if needed["mcse"] is None else f" ± {needed['mcse']:.1f}"
    tried = f"; {needed['tried']:,} tried below" if needed["tried"] else "; too far from the sizes tried to be tried"
    return f"power {wanted:.0%} needs {needed['size']:.1f}{error} people, by the powers of the sizes given{tried}"


def _off(results: dict[str, Any]) -> list[str]:
    """Type I errors above their level by more than chance."""
    told, nominal = [], results["bounds"]["level"]
    said = "familywise error" if together(results) else "type I error"
    measure = "familywise error" if together(results) else "rejection"
    for row in figures(results, measure=measure, analysis=results["decisive"]):
        if row["hypothesis"] != MODEL and row["value"] > nominal + BIASED * row["mcse"]:
            told.append(f"{row['size']:,} people, {row['hypothesis']}: {said} {shown(row)}, above {nominal:.2%}")
    return told


def _number(figure: dict[str, Any] | None, digits: int = 4) -> str:
    return NOTHING if figure is None or figure["value"] is None else f"{figure['value']:.{digits}g}"


def _p(p: float | None) -> str:
    return NOTHING if p is None else f"{p:.2g}" if p < 0.001 else f"{p:.4f}"
