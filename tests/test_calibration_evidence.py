"""The published evidence as tables: totals against their source, doses by hand, and a study file for each trial."""

import csv
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from statsmodels.stats.proportion import confint_proportions_2indep

from cutis.calibration.psoriasis.evidence import targets
from cutis.calibration.psoriasis.evidence.arms import HERE, OUTCOMES, arms
from cutis.calibration.psoriasis.evidence.comparisons import head_to_head
from cutis.calibration.psoriasis.evidence.regimens import TREATMENTS, read_course
from cutis.core.psoriasis.treatments import TREATMENTS as KNOWN
from cutis.population.baselines.tables import BASELINES
from cutis.trials.checks import problems
from cutis.trials.compose import CONF, from_configuration
from cutis.trials.study import Study

EVIDENCE = Path(__file__).resolve().parents[2] / "shared" / "evidence" / "psoriasis"
needs_evidence = pytest.mark.skipif(not EVIDENCE.exists(), reason="the shared evidence is not beside the repository")
TRIALS = {trial.key: trial for trial in arms()}
STUDIES = sorted(file.stem for file in (CONF / "population" / "psoriasis").glob("*.yaml"))
PARTS = ("trial", "population")
COLUMNS = {
    "pasi50": "pasi50_pct",
    "pasi75": "pasi75_pct",
    "pasi90": "pasi90_pct",
    "pasi100": "pasi100_pct",
    "iga01": "spga_iga_01_pct",
    "dlqi01": "dlqi_01_pct",
}
SOURCES = {  # how the source calls trials whose key does not follow from their name
    "EXPRESS-II 2007": "express_ii",
    "Fernandez-Guarino NB-UVB": "fernandez_guarino",
    "VIP Trial 2018": "vip",
    "VIP-S trial 2020": "vip_s",
    "Watson 2021 cohort": "watson_2021",
}
LEFT_OUT = {  # no drug of ours, no responses, or topical
    "Armstrong 2024",
    "EUCTR2021-005987-23-FR SUMMIT",
    "FRONTIER-1 2024",
    "Heydendael 2003",
    "Koo 2016",
    "Lebwohl 2016",
    "PSO-ABLE 2017",
}
OTHER_ARMS = {("EXPRESS-II 2007", "4"), ("OASIS-2 2023", "2"), ("OASIS-2 2023", "4"), ("Reich 2020", "2")}


def key_of(name):
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower())
    return SOURCES.get(name) or next(key for key in (plain, re.sub(r"_\d{4}$", "", plain)) if key in TRIALS)


def published():
    """Rows of the shared table that arms.yaml must have, by key of the trial."""
    with (EVIDENCE / "trials.csv").open(newline="", encoding="utf-8") as text:
        rows = [row for row in csv.DictReader(text) if row["trial"] not in LEFT_OUT]
    found = {}
    for row in rows:
        if (row["trial"], row["arm"]) not in OTHER_ARMS:
            found.setdefault(key_of(row["trial"]), []).append(row)
    return found


@needs_evidence
def test_every_arm_of_the_evidence_is_there_in_its_order_with_its_number_of_people():
    wanted = {key: [int(float(row["N"])) for row in rows] for key, rows in published().items()}
    assert wanted == {key: [arm.n for arm in trial.arms] for key, trial in TRIALS.items()}
    assert sum(len(trial.arms) for trial in TRIALS.values()) == 150


@needs_evidence
def test_every_response_of_the_evidence_is_told_at_its_week():
    for key, rows in published().items():
        for row, arm in zip(rows, TRIALS[key].arms, strict=True):
            told = {(r.outcome, r.percent) for r in arm.readouts}
            for outcome, column in COLUMNS.items():
                if row[column]:
                    assert (outcome, float(row[column])) in told, (key, arm.name, outcome)
            weeks = {r.week for r in arm.readouts if r.status == "measured"}
            if re.fullmatch(r"[\d.]+", row["readout_week"]) and not row["status"].startswith("recalled"):
                assert float(row["readout_week"]) in weeks, (key, arm.name)


@needs_evidence
def test_what_the_evidence_recalls_is_assumed():
    for key, rows in published().items():
        for row, arm in zip(rows, TRIALS[key].arms, strict=True):
            if row["spga_status"] == "recalled":
                assert {r.status for r in arm.readouts if r.outcome == "iga01"} == {"assumed"}, (key, arm.name)
            if row["status"].startswith("recalled"):
                assert {r.status for r in arm.readouts} == {"assumed"}


def test_counts_give_the_published_percentages_back():
    for trial in TRIALS.values():
        for arm in trial.arms:
            for readout in arm.readouts:
                assert 0 <= readout.count <= readout.n
                written = 0.05 if readout.percent % 1 else 0.5  # half of the last digit that is published
                nearest = 50 / readout.n  # half of a person
                assert abs(100 * readout.count / readout.n - readout.percent) <= max(written, nearest) + 1e-9
                if readout.status == "measured" and readout.week == trial.main_week():
                    assert abs(100 * readout.count / readout.n - readout.percent) < 0.11, (trial.key, arm.name, readout)


def given(key, arm, weight=80.0):
    return [dose for course in TRIALS[key].arm(arm).courses for dose in course.given(weight)]


def weekly(amount, *weeks):
    return [(7 * week, amount) for week in weeks]


TWICE_A_WEEK = [(7 * week + day, 50) for week in range(12) for day in (0, 3)]
STEPS = [*weekly(7.5, 0, 1), *weekly(10, 2, 3), *weekly(15, 4, 5, 6, 7), *weekly(20, *range(8, 16))]


@pytest.mark.parametrize(
    ("key", "arm", "weight", "doses"),
    [
        ("reveal", "adalimumab", 80, [(0, 80), *weekly(40, 1, 3, 5, 7, 9, 11, 13, 15)]),
        ("voyage_1", "guselkumab", 80, weekly(100, 0, 4, 12, 20, 28, 36, 44)),
        ("clear", "secukinumab", 80, weekly(300, 0, 1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48)),
        ("clear", "ustekinumab", 100, weekly(45, 0, 4, 16, 28, 40)),
        ("clear", "ustekinumab", 100.1, weekly(90, 0, 4, 16, 28, 40)),
        ("express", "infliximab", 90, weekly(450, 0, 2, 6, 14, 22)),
        ("amagine_1", "brodalumab_210", 80, weekly(210, 0, 1, 2, 4, 6, 8, 10)),
        ("cimpact", "certolizumab_200", 80, weekly(400, 0, 2, 4) + weekly(200, 6, 8, 10)),
        ("fixture", "etanercept", 80, TWICE_A_WEEK),
        ("pristine", "etanercept_biw", 80, TWICE_A_WEEK + weekly(50, *range(12, 24))),
        ("be_sure", "bimekizumab_q8w", 80, weekly(320, 0, 4, 8, 12, 16)),
        ("uncover_2", "ixekizumab_q2w", 80, weekly(160, 0) + weekly(80, 2, 4, 6, 8, 10)),
        ("reich_2020", "ixekizumab", 80, weekly(160, 0) + weekly(80, 2, 4, 6, 8, 10, 12, 16, 20)),
        ("champion", "methotrexate", 80, STEPS),
        ("krueger_2007", "ustekinumab_90_four", 80, weekly(90, 0, 1, 2, 3)),
        ("x_plore", "guselkumab", 80, weekly(100, 0, 8)),
    ],
)
def test_doses_are_those_of_the_regimen_worked_out_by_hand(key, arm, weight, doses):
    assert given(key, arm, weight) == doses


def test_daily_treatments_are_an_intake():
    (apremilast,) = TRIALS["esteem_1"].arm("apremilast").courses
    assert apremilast.daily
    assert apremilast.intake(80) == (0, 16 * 7, 60)
    (deucravacitinib,) = TRIALS["poetyk_pso_1"].arm("deucravacitinib").courses
    assert deucravacitinib.intake(80) == (0, 24 * 7, 6)


def test_light_is_raised_each_week_up_to_its_limit():
    (light,) = TRIALS["vip"].arm("nb_uvb").courses
    doses = light.given(80)
    assert len(doses) == 36
    assert [day for day, _ in doses[:4]] == [0, 2, 4, 7]
    assert doses[3][1] == pytest.approx(0.42 * 1.2)
    assert doses[-1][1] == 3.0  # 0.42 * 1.2**11 is 3.12


def test_light_in_multiples_of_the_erythema_dose_needs_it():
    light = read_course({"treatment": "nb_uvb", "dose": "0.7 MED", "sessions_a_week": 3, "weeks": [0], "until": 1}, "x")
    assert [(day, round(dose, 9)) for day, dose in light.given(80, med=0.6)] == [(0, 0.42), (2, 0.42), (4, 0.42)]
    with pytest.raises(ValueError, match="needs the person's minimal erythema dose"):
        light.given(80)


def test_a_course_that_is_not_daily_has_no_intake():
    with pytest.raises(ValueError, match="not daily"):
        TRIALS["reveal"].arm("adalimumab").courses[0].intake(80)


def test_nothing_is_given_after_the_last_response_that_is_told():
    for trial in TRIALS.values():
        last = max(readout.week for arm in trial.arms for readout in arm.readouts)
        for arm in trial.arms:
            for course in arm.courses:
                end = course.intake(80)[1] if course.daily else course.days()[-1]
                assert end <= 7 * last, (trial.key, arm.name)


def test_treatments_are_those_of_the_model():
    assert set(TREATMENTS) == set(KNOWN)
    assert {t for trial in TRIALS.values() for arm in trial.arms for t in arm.treatments} == set(TREATMENTS) - {
        "calcipotriol_betamethasone"
    }


def test_people_of_an_arm_are_those_of_its_baseline_table():
    people = TRIALS["clear"].arm("ustekinumab").baseline
    assert people.weight == pytest.approx(87.2, abs=0.1)
    for trial in TRIALS.values():
        if trial.table:
            assert sum(arm.randomised for arm in trial.arms) <= BASELINES[trial.table].n + 30, trial.key
            assert all(arm.baseline.age or trial.key == "ohtsuki_2018" for arm in trial.arms), trial.key


def test_the_main_week_is_the_primary_one_wherever_that_was_measured():
    apart = {key: (trial.week, trial.main_week()) for key, trial in TRIALS.items() if trial.main_week() != trial.week}
    assert apart == {"be_sure": (16, 24), "express": (10, 24)}


def test_limits_of_differences_are_those_of_statsmodels():
    found = head_to_head(TRIALS.values())
    assert len([d for d in found if d.between and d.outcome == "pasi90"]) > 15
    for one in found:
        trial = TRIALS[one.trial]
        counts = [trial.arm(name).at(one.week)[one.outcome] for name in (one.arm, one.comparator)]
        low, high = confint_proportions_2indep(
            counts[0].count, counts[0].n, counts[1].count, counts[1].n, method="newcomb", compare="diff"
        )
        assert (one.low, one.high) == pytest.approx((100 * low, 100 * high), abs=1e-6)


def test_differences_that_are_known_keep_their_sign():
    signs = {(d.trial, d.arm, d.comparator, d.outcome): d.points for d in head_to_head(TRIALS.values())}
    assert signs["voyage_1", "guselkumab", "adalimumab", "pasi90"] == pytest.approx(73.3 - 49.7, abs=0.1)
    assert signs["be_vivid", "bimekizumab", "ustekinumab", "pasi90"] > 0
    assert signs["liberate", "apremilast", "etanercept", "pasi75"] < 0


@needs_evidence
def test_time_courses_are_those_of_the_meta_analysis():
    with (EVIDENCE / "timecourse_mbma.csv").open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    wanted = {(row["endpoint"].lower(), int(row["week"]), float(row["responder_pct"])) for row in rows}
    told = {
        (outcome, week, percent)
        for course in targets.timecourses()
        for outcome, percents in course.percents.items()
        for week, percent in percents.items()
    }
    assert told <= wanted
    assert len(told) > 140


def test_time_courses_rise_and_harder_responses_are_rarer():
    for course in targets.timecourses():
        for percents in course.percents.values():
            assert list(percents.values()) == sorted(percents.values())
        assert all(course.percents["pasi90"][week] < percent for week, percent in course.percents["pasi75"].items())


@needs_evidence
def test_patients_under_light_are_those_of_the_cohort():
    with (EVIDENCE / "nbuvb_patient_level_watson2021.csv").open(newline="", encoding="utf-8") as text:
        wanted = list(csv.reader(text))
    with (HERE / "phototherapy.csv").open(newline="", encoding="utf-8") as text:
        assert list(csv.reader(text)) == [row[:-1] for row in wanted]  # the last column of the source is empty


def test_responses_of_the_cohort_under_light_follow_from_its_patients():
    with (HERE / "phototherapy.csv").open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    told = TRIALS["watson_2021"].arm("nb_uvb")
    for week in (3, 4, 5, 6, 7, 8):
        ends = []
        for row in rows:
            seen = [row["PASI_PRE_TREATMENT"]] + [row[f"PASI_END_WEEK_{w}"] for w in range(1, week + 1)]
            ends.append(float([value for value in seen if value][-1]) / float(row["PASI_PRE_TREATMENT"]))
        assert told.at(week)["pasi75"].count == sum(end <= 0.25 + 1e-9 for end in ends)


def test_relapses_tell_who_was_observed_and_what_was_lost():
    found = {relapse.key: relapse for relapse in targets.relapses()}
    assert found["etanercept_pasi75"].range_days == (85, 112)
    assert found["risankizumab_withdrawn"].kept == {52: 61.3}
    assert found["risankizumab_continued"].at == 28
    assert all((r.median_days is None) != (not r.kept) for r in found.values())
    assert all(r.status == "assumed" for r in found.values() if "recalled" in r.note)


def test_relapse_counts_from_the_week_in_which_the_next_dose_was_left_out():
    """Publications count from the last dose too: 32 and 37 weeks after tildrakizumab of week 16 are 20 and 25 here."""
    for relapse in targets.relapses():
        given = [course.intake(90)[1] - 1 if course.daily else course.days()[-1] for course in relapse.courses]
        assert max(given) < 7 * relapse.stopped, relapse.key
    found = {relapse.key: relapse for relapse in targets.relapses()}
    for dose, since_last in ((100, 32), (200, 37)):
        relapse = found[f"tildrakizumab_{dose}"]
        assert relapse.courses[0].days()[-1] + 7 * since_last == 7 * relapse.stopped + relapse.median_days


def test_effects_and_subgroups_name_what_there_is():
    assert {effect.covariate for effect in targets.effects()} > {"weight", "prior_biologic", "smoker", "hla_c0602"}
    for part in targets.subgroups():
        assert TRIALS[part.trial].arm(part.arm).n > part.n
        assert TRIALS[part.trial].arm(part.arm).at(part.week)
    for speed in targets.speeds():
        assert TRIALS[speed.trial].arm(speed.arm)
    assert next(iter(targets.rates())) == "ixekizumab"
    assert set(targets.rates()) < set(TREATMENTS)


def test_topical_trials_are_read_like_the_others():
    foam = {trial.key: trial for trial in targets.topical()}["pso_able"].arm("foam")
    assert foam.at(4)["pasi75"].count == 96
    assert foam.courses[0].intake(80) == (0, 84, 1)


# A study file for each published trial.


def test_every_trial_with_a_baseline_table_has_a_study_and_a_population():
    assert [key for key, trial in sorted(TRIALS.items()) if trial.table] == STUDIES
    assert all((CONF / "trial" / "psoriasis" / f"{key}.yaml").exists() for key in STUDIES)


@cache
def study_of(key):
    """The study of `trial=psoriasis/KEY population=psoriasis/KEY`, read at once: composing takes long."""
    parts = {part: yaml.safe_load((CONF / part / "psoriasis" / f"{key}.yaml").read_text()) for part in PARTS}
    return Study.model_validate({"seed": 1} | parts)


def test_the_command_line_finds_them():
    told = from_configuration(["trial=psoriasis/be_vivid", "population=psoriasis/be_vivid", "seed=1"]).study()
    assert told == study_of("be_vivid")


@pytest.mark.parametrize("key", STUDIES)
def test_a_study_is_sound_and_is_that_of_the_trial(key):
    study = study_of(key)
    assert problems(study) == []
    trial = TRIALS[key]
    assert study.population.match == trial.table
    assert study.population.size == sum(arm.randomised for arm in trial.arms)
    assert list(study.trial.arms) == [arm.name for arm in trial.arms]
    assert {
        name: criterion.min for name, criterion in study.trial.eligibility.items() if name in trial.entry
    } == trial.entry
    assert ("prior_biologic" in study.trial.eligibility) == trial.naive
    assert {analysis.week for analysis in study.trial.analyses.values() if analysis.role == "primary"} == {trial.week}
    assert {readout.week for arm in trial.arms for readout in arm.readouts} <= set(study.trial.visits)
    assert set(OUTCOMES) == set(study.trial.outcomes)


@pytest.mark.parametrize("key", STUDIES)
def test_a_study_gives_what_the_trial_gave(key):
    written = yaml.safe_load((CONF / "trial" / "psoriasis" / f"{key}.yaml").read_text())["arms"]
    for arm in TRIALS[key].arms:
        if not arm.courses:
            continue  # placebo, which may be followed by treatment after the primary time point
        assert tuple(read_course(course, key) for course in written[arm.name]["regimen"]) == arm.courses
        for ours, theirs in zip(arm.courses, study_of(key).trial.arms[arm.name].regimen, strict=True):
            assert ours.daily or ours.days() == theirs.dose_days()  # the same words mean the same days
