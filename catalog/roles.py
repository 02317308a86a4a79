"""What people do on an audiobook, and how stores write it behind their names."""

from catalog.normalise import fold

_SPELLINGS = {
    "author": "author writer autor autora auteur autrice autore verfasser 著者",
    "narrator": "narrator reader narrador narradora narrateur narratrice narratore narratrice "
    "sprecher sprecherin erzähler ナレーター",
    "translator": "translator translation traductor traductora traducteur traductrice traduttore "
    "traduttrice tradutor tradutora übersetzer übersetzerin übersetzung traducción traduction "
    "traduzione tradução 翻訳 訳",
    "foreword": "foreword preface vorwort prólogo prefacio préface prefazione prefácio 序文",
    "introduction": "introduction introducción introduzione introdução einleitung einführung",
    "afterword": "afterword epilogue nachwort epílogo postface postfazione posfácio",
    "editor": "editor herausgeber herausgeberin hrsg éditeur éditrice curatore curatrice "
    "organizador 編集",
    "illustrator": "illustrator illustratorin ilustrador ilustradora illustrateur illustratrice "
    "illustratore illustrazioni",
    "adaptation": "adaptation adapter bearbeiter bearbeitung adaptación adaptador adaptateur "
    "adattamento adaptação",
    "producer": "producer director produzent regie regisseur productor producteur produttore "
    "produtor",
    "contributor": "contributor mitwirkender beitrag colaborador colaboradora contributeur "
    "collaboratore collaboratrice",
}
_ROLES = {fold(word): role for role, spelt in _SPELLINGS.items() for word in spelt.split()}


def split_role(text: str, default: str) -> tuple[str, str]:
    """A credited name apart from the role behind it: "Ada Lund - translator".

    A role stands behind " - " only (family names have bare hyphens). One lower-case or single
    word that is not in the table is taken for a role we have yet to learn: contributor.
    Anything longer belongs to the name, as in "Radio Nord - Studio 4".
    """
    name, *tail = text.split(" - ")
    role = default
    while tail:
        found = _role(tail[-1])
        if found is None:
            break
        role = found
        tail.pop()
    return " - ".join([name, *tail]), role


def _role(text: str) -> str | None:
    listed = fold(text).split()
    known = next((_ROLES[word] for word in listed if word in _ROLES), None)
    if known is not None and len(listed) <= 3:
        return known
    return "contributor" if len(listed) == 1 or text == text.lower() else None
