"""What the reports of psoriasis are told beside its tables."""

from ..report.told import Outcome, Pool, Told, Words
from .criteria import COVARIATES, JUDGED, criteria

TOLD = Told(
    outcomes={key: Outcome(f"PASI {key[4:]}") for key in ("pasi50", "pasi75", "pasi90", "pasi100")},
    pools=(Pool("PASI 75 and PASI 90", JUDGED, "both"),),
    panels=tuple(Pool(f"PASI {key[4:]}", (key,)) for key in JUDGED),
    controls=("placebo",),
    criteria=criteria,
    words=Words(
        figures="rates",
        observed="response rates of published trials",
        control="placebo",
        simulated="their response rate compared with the observed one",
        fitted=(
            "Parameters are fitted to the counts of all arms at once, with an effect of each trial and more than "
            "binomial variation, and to published courses and relapse."
        ),
        untested="Rare harms, children, pregnancy and forms other than plaque psoriasis are not tested at all.",
    ),
    names={
        "anti_tnf": "anti-TNF",
        "tnf": "anti-TNF",
        "p40": "IL-12/23p40",
        "p19": "IL-23p19",
        "il23": "IL-23p19",
        "il17": "IL-17",
        "il17a": "IL-17A",
        "il17af": "IL-17A/F",
        "il17ra": "IL-17RA",
        "pde4": "PDE4",
        "tyk2": "TYK2",
        "nb_uvb": "NB-UVB",
        "calcipotriol_betamethasone": "calcipotriol/betamethasone",
        "hla_c0602": "HLA-C*06:02",
        "bmi": "BMI",
        "iga3": "IGA below 3",
        "dlqi01": "DLQI 0/1",
        "iga01": "IGA 0/1",
        "half_improvement": "half of the improvement",
        "all": "everybody",
    },
    starred=COVARIATES,
    left_out=("checks",),
)
