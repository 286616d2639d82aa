"""The command line: `cutis COMMAND [key=value …]`. Heavy imports wait until a command needs them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from ..calibration.diseases import CALIBRATED

DONE, OURS, INPUT, CHECK = 0, 1, 2, 3

app = typer.Typer(
    name="cutis",
    help="Simulate clinical trials of skin treatments on synthetic twins.",
    epilog="Exit codes: 0 done, 1 our fault, 2 bad input, 3 a check failed or a run was stopped.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="e.g. population.size=300 seed=7")
]
StudyFile = Annotated[Path | None, typer.Option("--study", metavar="FILE", help="read the study from a YAML file")]
Folder = Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run")]
Source = Annotated[str, typer.Argument(metavar="SOURCE", help="a population; see `cutis list populations`")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="e.g. size=1000 seed=7")]

people = typer.Typer(help="Draw, describe, fit and match populations of twins.", no_args_is_help=True)
app.add_typer(people, name="population")


def main() -> None:
    """Entry point: carries out one command, and says plainly what is wrong."""
    from ..cluster import platform

    with _plainly():
        platform.prepare()
        app()


@app.callback(invoke_without_command=True)
def _start(
    show_version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False,
) -> None:
    if show_version:
        print(f"cutis {version('cutis')}")
        raise typer.Exit


@app.command()
def run(
    overrides: Overrides = None,
    study: StudyFile = None,
    resume: Annotated[bool, typer.Option("--resume", help="finish a run that was stopped")] = False,
) -> None:
    """Run a trial: sample twins, simulate all arms, analyse, report.

    cutis run trial=psoriasis/il23_vs_tnf population.size=300 seed=7 out=runs/mine cluster=ray
    """
    with _plainly():
        from . import bundle
        from .job import destination, job

        task = job(overrides or [], study)
        folder = destination(task)
        plan = task.study()
        if bundle.examine(folder, plan, resume) == "complete":
            print(f"{folder}: this study's run is complete already\nreport: {folder / 'report.html'}")
            return
        with _stoppable(folder), bundle.claimed(folder, plan, resume):
            from .run import run as carry_out

            timing = carry_out(plan, task.cluster, folder)
        print(
            f"{plan.trial.title}\n{plan.population.size:,} simulated twins; {timing.total:.1f} s in all, "
            f"{timing.kernel:.2f} s in the simulation kernel ({timing.made} shards made now)\n"
            f"report: {folder / 'report.html'}"
        )


@app.command()
def design(
    overrides: Overrides = None,
    study: StudyFile = None,
    resume: Annotated[bool, typer.Option("--resume", help="finish a design that was stopped")] = False,
) -> None:
    """Try a trial out thousands of times: power, type I error, sample size, interim looks, assurance.

    cutis design trial=psoriasis/il23_vs_tnf design.replicates=10000 design.sizes=[100,200,300]
    """
    with _plainly():
        from . import design_command
        from .job import job

        task = job(overrides or [], study)
        plan, asked = design_command.checked(task)
        folder = design_command.destination(task, plan, asked)
        with _stoppable(folder):
            for line in design_command.carry_out(task, plan, asked, folder, resume):
                print(line)


@app.command()
def check(overrides: Overrides = None, study: StudyFile = None) -> None:
    """Validate a study and print its plan; simulate nothing."""
    with _plainly():
        from .job import describe, job

        for line in describe(job(overrides or [], study)):
            print(line)


@app.command()
def sweep(
    words: Words = None,
    study: Annotated[
        Path | None, typer.Option("--study", metavar="FILE", help="read the sweep from a YAML file")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="finish a sweep that was stopped")] = False,
) -> None:
    """Try a device at many settings on skin of all types: benefit, risks, and which settings stay within bounds.

    cutis sweep sweep=laser/hair_755 size=10000 out=sweeps/mine workers=2
    """
    with _plainly():
        from .sweep.read import asked

        task = asked(words or [], study)
        from .sweep.command import sweep as carry_out

        for line in carry_out(task, resume, _stoppable):
            print(line)


@app.command()
def verify(
    folder: Folder,
    rerun: Annotated[int, typer.Option(min=0, help="shards to simulate again")] = 1,
) -> None:
    """Re-hash a run, analyse it again and simulate some of its shards again: to the bit where it was made."""
    with _plainly():
        from .errors import Unfinished
        from .sweep.place import is_sweep

        if is_sweep(folder):
            from .sweep.verify import verify as examine
        else:
            from .verify import verify as examine
        findings = list(examine(folder, rerun))
        wrong = [finding for finding in findings if finding.wrong]
        for finding in wrong:
            print(f"{folder / finding.what}: {finding.wrong}", file=sys.stderr)
        if wrong:
            raise Unfinished(f"{folder}: not verified: {len(wrong)} of {len(findings)} checks failed")
        for finding in findings:
            if "again" in finding.what:
                print(f"{finding.what}: {finding.level}")
        print(f"{folder}: verified, {len(findings)} checks")


@app.command()
def report(
    folder: Folder,
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="where to write it")] = Path("report.html"),
) -> None:
    """Build the report of a complete run again, as a file of its own; the run stays as it is."""
    with _plainly():
        from .job import rebuild

        rebuild(folder, to)
        print(f"report: {to}")


@app.command(name="list")
def list_(
    what: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="trials, treatments, models, endpoints, populations, baselines or sweeps"),
    ],
) -> None:
    """List what there is, one line each."""
    with _plainly():
        from .catalogue import lines

        for line in lines(what):
            print(line)


Disease = Annotated[str, typer.Argument(metavar="DISEASE", help=" or ".join(CALIBRATED))]
Quick = Annotated[bool, typer.Option("--quick", help="a try with few twins that only shows that all works")]


@app.command()
def calibrate(
    disease: Disease,
    words: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="out=FOLDER")] = None,
    quick: Quick = False,
) -> None:
    """Estimate a disease's parameters from published trials; the package's own files stay as they are.

    cutis calibrate psoriasis out=calibrations/mine
    """
    with _plainly():
        from . import calibration

        for line in calibration.calibrate(disease, words or [], quick, partial(print, file=sys.stderr, flush=True)):
            print(line)


@app.command()
def validate(
    disease: Disease,
    words: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="out=FOLDER folds=10")] = None,
    quick: Quick = False,
) -> None:
    """Predict published trials that the fit has not seen; exit code 3 if a criterion is missed.

    cutis validate psoriasis out=validations/mine folds=10
    """
    with _plainly():
        from . import calibration

        for line in calibration.validate(disease, words or [], quick, partial(print, file=sys.stderr, flush=True)):
            print(line)


@people.command()
def sample(
    source: Source,
    words: Words = None,
    resume: Annotated[bool, typer.Option("--resume", help="finish a sample that was stopped")] = False,
) -> None:
    """Draw twins of a population into Parquet files, each with all attributes.

    cutis population sample psoriasis_moderate_severe size=1000000 seed=7 out=samples/mine cluster=local workers=2
    """
    with _plainly():
        from . import population

        asked = population.order(source, words or [])
        with _stoppable(asked.out):
            for line in population.sample(asked, resume):
                print(line)


@people.command()
def describe(
    what: Annotated[str, typer.Argument(metavar="SOURCE|FOLDER", help="a population, or the folder of a sample")],
    words: Words = None,
) -> None:
    """Describe the twins of a population, or of a sample: attributes, units, distributions, composition."""
    with _plainly():
        from . import population

        for line in population.describe(what, words or []):
            print(line)


@people.command()
def match(
    source: Source,
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="a published baseline table, e.g. psoriasis/erasure")],
    words: Words = None,
) -> None:
    """See how well twins can be made to look like the people of a published trial."""
    with _plainly():
        from . import population

        for line in population.match(source, trial, words or []):
            print(line)


@people.command()
def fit(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="YAML file: what the columns mean")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV or Parquet file: a row a person")],
    words: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="out=FOLDER seed=7")] = None,
) -> None:
    """Fit a population to a table of people, test its quality and privacy, and keep it if it gives nobody away."""
    with _plainly():
        from . import population

        say = partial(print, file=sys.stderr, flush=True)
        for line in population.fit(plan, data, words or [], say):
            print(line)


@people.command()
def person(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML file: what was measured in one person")],
    words: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="size=1000 out=FILE")] = None,
) -> None:
    """Draw twins of one person: what was not measured, given what was."""
    with _plainly():
        from .person import person as twins

        for line in twins(file, words or []):
            print(line)


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn what users can cause into one message and an exit code."""
    from ..cluster.errors import ClusterError
    from .errors import BadInput, Unfinished

    try:
        yield
    except BadInput as error:
        _stop(str(error), INPUT)
    except (Unfinished, ClusterError) as error:
        _stop(str(error), CHECK)


@contextmanager
def _stoppable(folder: Path) -> Iterator[None]:
    from .errors import Unfinished

    try:
        yield
    except KeyboardInterrupt:
        raise Unfinished(f"{folder}: stopped; finished shards are kept. Go on with --resume") from None


def _stop(message: str, code: int) -> None:
    for line in message.splitlines():
        print(f"cutis: {line}", file=sys.stderr)
    raise typer.Exit(code)
