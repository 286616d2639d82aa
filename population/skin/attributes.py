"""What the skin layer knows of a twin: name, meaning (with site and device), unit."""

from ..attributes import Attribute

REACTIONS = ("blisters", "peels", "burns_and_tans", "tans", "nothing")
HABITS = ("always", "mostly", "sometimes", "rarely", "never")
CARRIED = ("hla_c0602", "flg_loss", "keloid_prone")

_SITES = {"forearm": "dorsal forearm", "shoulder": "shoulder", "buttock": "buttock", "cheek": "cheek"}

ATTRIBUTES: dict[str, Attribute] = {
    a.name: a._replace(detail=a.name != "fitzpatrick")
    for a in (
        Attribute(
            "sun_reaction",
            "what half an hour of sun does after months without: the survey's answer",
            "1",
            "category",
            REACTIONS,
        ),
        Attribute("fitzpatrick", "Fitzpatrick skin type, I to VI as 1 to 6", "type", "grade", tuple("123456")),
        Attribute("ita", "individual typology angle of the upper inner arm, colorimeter", "deg", "number"),
        Attribute("lightness", "L* of the upper inner arm, colorimeter", "1", "number"),
        Attribute("yellowness", "b* of the upper inner arm, colorimeter", "1", "number"),
        Attribute("melanin_index", "melanin index of the upper inner arm, Mexameter", "AU", "number"),
        Attribute(
            "melanosome_fraction", "volume fraction of melanosomes in the epidermis, upper inner arm", "1", "number"
        ),
        Attribute("erythema_forearm", "erythema index of the volar forearm, Mexameter", "AU", "number"),
        Attribute("erythema_cheek", "erythema index of the cheek, Mexameter", "AU", "number"),
        Attribute("med", "minimal erythema dose of skin not exposed before, broadband UVB", "mJ/cm2", "number"),
        *(
            Attribute(f"stratum_corneum_{site}", f"thickness of the stratum corneum, {where}", "um", "number")
            for site, where in _SITES.items()
        ),
        *(
            Attribute(f"epidermis_{site}", f"thickness of the living epidermis, {where}", "um", "number")
            for site, where in _SITES.items()
        ),
        Attribute("skin_forehead", "thickness of epidermis and dermis, forehead, 50 MHz ultrasound", "mm", "number"),
        Attribute("skin_cheek", "thickness of epidermis and dermis, cheek, 50 MHz ultrasound", "mm", "number"),
        Attribute("dermis_cheek", "thickness of the dermis, cheek", "mm", "number"),
        Attribute("melanocyte_density", "melanocytes in the epidermis, mean of body sites, biopsy", "1/mm2", "number"),
        Attribute("follicle_density", "hair follicles, mean of body sites, biopsy", "1/mm2", "number"),
        Attribute("tewl_forearm", "transepidermal water loss, volar forearm", "g/m2/h", "number"),
        Attribute("tewl_cheek", "transepidermal water loss, cheek", "g/m2/h", "number"),
        Attribute("hydration_forearm", "hydration of the stratum corneum, volar forearm, Corneometer", "AU", "number"),
        Attribute("hydration_cheek", "hydration of the stratum corneum, cheek, Corneometer", "AU", "number"),
        Attribute("ph_forehead", "surface pH, forehead", "1", "number"),
        Attribute("ph_forearm", "surface pH, volar forearm", "1", "number"),
        Attribute(
            "sebum_forehead",
            "casual sebum, forehead, as a Sebumeter would read without its ceiling",
            "ug/cm2",
            "number",
        ),
        Attribute("elasticity_r2", "gross elasticity R2 of the cheek, Cutometer", "1", "number"),
        Attribute("elasticity_r5", "net elasticity R5 of the cheek, Cutometer", "1", "number"),
        Attribute("elasticity_r7", "biological elasticity R7 of the cheek, Cutometer", "1", "number"),
        Attribute("outdoor_workday", "time outdoors, 9 to 17 h, of a day of work, if at work", "min", "number"),
        Attribute("outdoor_offday", "time outdoors, 9 to 17 h, of a day off", "min", "number"),
        Attribute("sunburns", "sunburns in a year, 5 or more as 5", "1", "grade", tuple("012345")),
        Attribute("sunscreen", "uses sunscreen in the sun", "1", "category", HABITS),
        Attribute("shade", "stays in the shade when out on a sunny day", "1", "category", HABITS),
        Attribute("long_sleeves", "wears long sleeves in the sun", "1", "category", HABITS),
        Attribute("uv_dose", "erythemal ultraviolet dose in a year", "SED", "number"),
        Attribute("pm25", "fine particles in outdoor air, mean of a year", "ug/m3", "number"),
        Attribute("hla_c0602", "carrier of HLA-C*06:02, whether or not ill", "1", "yes/no"),
        Attribute("flg_loss", "carrier of a loss-of-function variant of FLG", "1", "yes/no"),
        Attribute("keloid_prone", "forms keloids or hypertrophic scars", "1", "yes/no"),
        Attribute("adherence_propensity", "standard normal score: higher uses more of a treatment", "1", "number"),
        Attribute("dropout_propensity", "standard normal score: higher leaves a trial earlier", "1", "number"),
    )
}
