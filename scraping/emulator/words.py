"""What the emulated store's people and books are called; all of it made up."""

import random

_GIVEN = "Ada Jorun Milo Tamsin Osric Petra Linus Wren Edda Corin Maëlle Sören Inés Ruža Bríd Åse"
_FAMILY = (
    "Thornquill Marbeck Oldershaw-Finn Vantongeren Ashgrove Pellwether Quillfeather Harrowmere "
    "Steinmöwe Brückwald Lavergnée Montecarvo O'Dunnary Saltmarsh Köhlbrand d'Estrelle"
)
_JAPANESE_GIVEN = "湊 小夜 琥太 澪 柚羽 朔"
_JAPANESE_FAMILY = "霧ヶ浜 潮見沢 月岡野 白樫 灯守 雨宮坂"

# Language: the two lists that a title takes a word from each, and how it puts them together.
_TITLES = {
    "english": (
        "Glass Hollow Amber Silent Crooked Winter Saltwater Copper Thirteenth Borrowed",
        "Lantern Orchard Harbour Cartographer Tide Archive Beekeeper Meridian Staircase Almanac",
        "The {} {}",
    ),
    "german": (
        "gläserne stille krumme salzige kupferne ferne dreizehnte",
        "Laterne Brücke Mühle Seekarte Flut Sternwarte Treppe",
        "Die {} {}",
    ),
    "french": (
        "Lampe Rive Horloge Marée Boussole Passerelle",
        "oubliée lointaine fragile salée muette cuivrée",
        "La {} {}",
    ),
    "italian": (
        "Lanterna Riva Mappa Marea Torre Campana",
        "perduta lontana salata muta fragile ramata",
        "La {} {}",
    ),
    "spanish": (
        "Linterna Orilla Torre Marea Campana Brújula",
        "perdida lejana salada muda frágil cobriza",
        "La {} {}",
    ),
    "portuguese": (
        "Lanterna Margem Torre Maré Bússola Ponte",
        "perdida distante salgada muda frágil acobreada",
        "A {} {}",
    ),
    "japanese": ("硝子 潮騒 琥珀 霧雨 月影 真鍮", "地図 灯台 時計塔 庭師 図書館 航海", "{}の{}"),
}
LANGUAGES = tuple(_TITLES)
TRANSLATORS = {
    "english": "translator",
    "german": "Übersetzer",
    "french": "traducteur",
    "italian": "traduttore",
    "spanish": "traductor",
    "portuguese": "tradutor",
    "japanese": "翻訳",
}
PUBLISHERS = ("Lamp & Oar Audio", "Pebble House", "Northlight Hörwerk", "Studio Corbeau")
# Categories: id, name, the one above. GENRES are those that seeded titles are in.
CATEGORIES: dict[str, tuple[str, str | None]] = {
    "90100000011": ("Lanterns & Legends", None),
    "90100000012": ("Far Coasts", None),
    "90100000013": ("Quiet Crimes", None),
    "90100000111": ("Harbour Legends", "90100000011"),
    "90100001111": ("Drowned Bells", "90100000111"),
    "90100000121": ("Islands", "90100000012"),
    "90100000131": ("Village Crimes", "90100000013"),
}
GENRES = ("90100000011", "90100000012", "90100000013")


def name(rng: random.Random, *, japanese: bool = False) -> str:
    """A person's name."""
    if japanese:
        return f"{rng.choice(_JAPANESE_FAMILY.split())} {rng.choice(_JAPANESE_GIVEN.split())}"
    return f"{rng.choice(_GIVEN.split())} {rng.choice(_FAMILY.split())}"


def title(rng: random.Random, language: str) -> str:
    """A book's title; languages without a list of their own get English ones."""
    first, second, pattern = _TITLES.get(language, _TITLES["english"])
    return pattern.format(rng.choice(first.split()), rng.choice(second.split()))


def summary(rng: random.Random, language: str) -> str:
    """A few lines of praise, marked up as stores do."""
    places = ", ".join(title(rng, language) for _ in range(3))
    return f"<p><b>{places} &amp; more.</b></p><p>{title(rng, language)}: <i>unforgettable</i>.</p>"


def ladder(category: str) -> list[tuple[str, str]]:
    """The way from the top down to a category, as (id, name); unknown ones stand alone."""
    rungs: list[tuple[str, str]] = []
    rung: str | None = category
    while rung:
        title, above = CATEGORIES.get(rung, (f"Category {rung}", None))
        rungs.insert(0, (rung, title))
        rung = above
    return rungs
