"""What the commands do before, and instead of, a run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..cluster import store
from . import bundle
from .compose import Job, from_configuration, from_file
from .errors import BadInput
from .study import Study


def job(overrides: Sequence[str], study: Path | None) -> Job:
    """A job whose study is sound.

    Raises:
      BadInput: everything that is wrong, one line each.
    """
    found = from_file(study, overrides) if study else from_configuration(overrides)
    from .checks import problems  # deferred: imports JAX, and most mistakes are found without

    wrong = problems(found.study())
    if wrong:
        raise BadInput("\n".join(f"{study}: {line}" if study else line for line in wrong))
    return found


def destination(task: Job) -> Path:
    """The run's folder: what was asked for, or one named after the trial's arms and the study's fingerprint."""
    if task.out is not None:
        if not task.out.strip():
            raise BadInput("out: expected a folder, got an empty name")
        return Path(task.out)
    return Path("runs") / f"{task.trial.disease}-{'-'.join(task.trial.arms)}-{task.study().fingerprint()[:8]}"


def describe(task: Job) -> Iterator[str]:
    """The plan of a study in words, with what it will take (`cost`)."""
    from ..core.diseases import DISEASES
    from . import cost
    from .report.words import regimen
    from .schedule import mesh
    from .shard import SIZE

    study, trial = task.study(), task.trial
    disease = DISEASES[trial.disease]
    twins, visits = study.population.size, len(trial.visits)
    yield f"{trial.title}"
    yield f"study {study.fingerprint()[:12]}, seed {study.seed}, population {study.population.source}"
    yield from _chosen(study)
    if trial.split:
        yield "  each twin has both arms, one on each side of the body"
    total = sum(trial.randomisation.allocation.values())
    for name, arm in trial.arms.items():
        share = 1.0 if trial.split else trial.randomisation.allocation[name] / total
        yield f"  arm {name}: about {twins * share:,.0f} twins; {regimen(arm, disease.untreated)}"
    yield f"  {visits} visits to week {trial.visits[-1]}, {len(trial.analyses)} analyses"
    steps = mesh(trial, 1.0).steps
    yield f"  {twins:,} twins in {-(-twins // SIZE):,} shards of {SIZE}; about {steps:,} time steps"
    yield f"  {cost.words(study)}"
    yield f"  {task.cluster.kind} executor; folder {destination(task)}"


def _chosen(study: Study) -> Iterator[str]:
    """Draw of the parameters, and who is let in beyond the criteria of the protocol."""
    people = study.population
    if study.model.draw is not None:
        yield f"  parameters of draw {study.model.draw} of their uncertainty"
    if people.match:
        yield f"  matched to the baseline table {people.match}"
    for attribute, shares in (people.quotas or {}).items():
        yield f"  quota of {attribute}: " + ", ".join(f"{level} {share:.0%}" for level, share in shares.items())
    if people.recruitment:
        regions = people.recruitment.regions.items()
        yield "  recruited in " + ", ".join(f"{n} ({r.share:.0%}, {r.sites} sites)" for n, r in regions)


def rebuild(folder: Path, to: Path) -> None:
    """Write the report of a complete run into a file."""
    import pyarrow.parquet as pq

    from ..core.diseases import DISEASES
    from ..population.sample import POPULATIONS
    from . import piecewise
    from .report.build import build
    from .report.words import primary_week
    from .statistics.result import from_arrow

    study: Study = bundle.stored_study(folder)
    content = bundle.manifest(folder)
    content["files"].pop("report.html", None)
    results = from_arrow(pq.read_table(folder / "results.parquet"))
    disease, source = DISEASES[study.trial.disease], POPULATIONS[study.population.source]
    tables = piecewise.tables(study, disease, folder, primary_week(study))
    text = build(folder, disease, source, content, study, **tables, results=results)
    store.write(to, text.encode())
