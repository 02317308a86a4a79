"""What people do on an audiobook, how stores write it behind their names, and names of nobody."""

import re

from catalog.normalise import fold, fold_letters

_SPELLINGS = {
    "author": "author coauthor writer autor autora auteur autrice autore verfasser verfasserin författare "
    "forfatter schrijver kirjailija автор 著者 著 原作 作者",
    "narrator": "narrator reader narrador narradora narrateur narratrice narratore narratrice "
    "sprecher sprecherin erzähler erzählerin uppläsare oplæser lukija lektor чтец ナレーター 朗読 语音",
    "translator": "translator translation translated traductor traductora traducteur traductrice "
    "traduttore traduttrice tradutor tradutora traducător übersetzer übersetzerin übersetzung "
    "uebersetzer traducción traduction traduzione tradução traducció vertaler vertaling översättare "
    "oversætter oversetter kääntäjä suomentaja tłumacz tłumaczenie przekład переводчик перевод "
    "翻訳 訳 訳者 译者 譯者 翻译 翻譯",
    "foreword": "foreword foreward forward preface prologue vorwort geleitwort prologuista prologuiste prólogo prefacio "
    "préface prefazione prefácio prólogos förord voorwoord предисловие 序文 まえがき",
    "introduction": "introduction introductions intro introducción introduzione introdução "
    "einleitung einführung présentation presentación presentazione inleiding",
    "afterword": "afterword epilogue nachwort epílogo postface postfazione posfácio 解説 あとがき",
    "editor": "editor editors edited herausgeber herausgeberin hrsg éditeur éditrice editeur editora "
    "curatore curatrice curador organizador organizadora redaktör redaktør compiler compilation "
    "compiled 編集 編 編者 監修",
    "illustrator": "illustrator illustration illustrations illustrated illustratorin ilustrador "
    "ilustradora illustrateur illustratrice illustratore illustrazioni ilustrator illustateur "
    "ilustración ilustraciones ilustrações cover イラスト 絵",
    "adaptation": "adaptation adaptations adaption adapter adaptor adapted bearbeiter bearbeitung "
    "adaptación adaptador adaptadora adaptateur adattamento adaptação adaptações dramatization "
    "dramatisation dramatizer dramatiser dramatist 脚本",
    "producer": "producer director directeur directora produzent regie regisseur regisseurin "
    "productor producteur produttore produtor diretor regista composer music 監督",
    "contributor": "contributor mitwirkender mitwirkende beitrag colaborador colaboradora "
    "contributeur collaboratore collaboratrice collaborator creator ghostwriter interviewer with "
    "featuring",
}
ROLES = tuple(_SPELLINGS)
_ROLES = {fold(word): role for role, spelt in _SPELLINGS.items() for word in spelt.split()}
# Words beside a role that say nothing: "Foreword by", "Introduction M.D.", "Editor Jr."
_BESIDE = frozenset({"by", "and", "und", "et", "y", "e", "m", "d", "md", "ph", "phd", "jr", "sr"})
# What follows a name behind a dash, too, and is part of it: "Ada Lund - PhD".
_NAME_ENDS = frozenset({"md", "phd", "dr", "jr", "sr", "ii", "iii", "iv", "mba", "esq"})
# Some words of the others are surnames as well: welded to a name they prove nothing.
_WELDABLE = frozenset(_SPELLINGS) - {"author", "narrator", "producer"}
# Not the one of "co-author".
_DASH = re.compile(r"(?<!\b[Cc]o)--?|[\u2013\u2014]")
_LONGEST = 500  # characters of a name, and of what rules look at


def _names(listed: str) -> frozenset[str]:
    return frozenset(map(fold, listed.split("|")))


# Credits of nobody in particular, as the stores write them, folded.
FULL_CASTS = _names(
    "full cast|a full cast|the full cast|full supporting cast|full cast ensemble|ensemble cast|"
    "an ensemble cast|ensemble|cast|the cast|additional cast|assorted cast|an all-star cast|"
    "all-star cast|multi-cast|multicast|full cast recording|full cast dramatization|"
    "full cast dramatisation|elenco|elenco completo|elenco artístico|reparto completo|reparto|"
    "cast completo|distribution complète|div.|div. div.|diverse|diverse diverse|"
    "diverse sprecher|verschiedene sprecher|various|various narrators|various artists|"
    "various performers|various readers|various voices|multiple narrators|varios|"
    "varios narradores|vários narradores|vários|diversos narradores|narratori vari|"
    "vari narratori|autori vari|voci varie|divers|divers narrateurs|narrateurs divers|"
    "diversnarrateurs|plusieurs narrateurs|lecteurs divers|flere|flere oplæsere|"
    "flera uppläsare|useita lukijoita|różni|коллектив|フルキャスト|複数ナレーター"
)
UNNAMED = _names(
    "uncredited|not credited|anonymous|anonym|anonymus|anonyme|anónimo|anónima|anônimo|"
    "i anonymous|unknown|unknown narrator|unbekannt|n.n.|n. n.|n.n|n.n. n.n.|n/a|na|none|"
    "not available|narratore sconosciuto|narrateur inconnu|narrador desconocido|desconocido|"
    "desconhecido|não informado|sconosciuto|inconnu|to be announced|to be confirmed|"
    "to be determined|narrator to be announced|tbd|tba|tbc|noch nicht bekannt|à confirmer|"
    "por confirmar|por anunciar|da definire|a definir|未定|不明"
)
_AI_VOICES = _names(
    "virtual voice|virtual voices|voz virtual|voz virual|voces virtuales|vozes virtuais|"
    "voix virtuelle|voce virtuale|virtuelle stimme|バーチャルボイス|バーチャル・ボイス|仮想音声|合成音声|"
    "voz sintética|voz artificial|voz digital|voz ia|voz de ia|voce artificiale|voce sintetica|"
    "voce digitale|voce ia|voix artificielle|voix de synthèse|voix synthétique|voix numérique|"
    "voix ia|künstliche stimme|digitale stimme|synthetische stimme|ki-stimme|ki stimme|"
    "ki-sprecher|ki sprecher|ki-erzähler|digital voice|digital voices|digital narration|"
    "digital narrator|synthetic voice|synthesized voice|artificial voice|"
    "artificial intelligence|ai|ai voice|ai voices|ai narration|ai narrator|ai narrated|"
    "ai generated|ai-generated voice|text to speech|tts|auto-narrated|computer voice|"
    "elevenlabs|eleven labs|speechki|deepzen|kokoro tts|google play auto-narrated|aiボイス|"
    "ai音声|aiナレーション|aiナレーター"
)
PSEUDO_NARRATORS = FULL_CASTS | UNNAMED | _AI_VOICES
# Around free text: "Ada Lund's voice replica", "AI Voice Nina", "Elise (AI)", "Mia (Voz de IA)".
_AI_AROUND = re.compile(
    r"\b(?:virtual voice|voz virtual|virtuelle stimme|voix virtuelle|voce virtuale)\b"
    r"|\bvoice[- ](?:replica|clone)\b|\breplica (?:de (?:voz|voce)|della voce|vocale?)\b"
    r"|\breplique (?:vocale|de voix|de la voix)\b|\bstimm(?:en)?replik"
    r"|\Aai voice\b|\b(?:ai|digital|synthetic)[ -](?:generated |cloned )?(?:voice|narrat(?:ion|or|ed))\s*[)\]]?\Z"
    r"|\bgenerated by ai\b|\belevenlabs\b|\beleven labs\b|\bkokoro tts\b|\bdigitally narrated\b"
    r"|\bvo(?:z|ce|ix)(?: de| d')? ?ia\b|\bki[- ](?:stimme|sprecher(?:in)?)\b"
    "|ボイスレプリカ|音声レプリカ"
)
_AI_MARK = re.compile(r"[(\[]\s*([^()\[\]]+?)\s*[)\]]\s*\Z")


def is_ai_voice(name: str) -> bool:
    """Whether a credit is a machine's: by its whole name, a mark in brackets, or a cloned voice.

    Never by a bare "ai" among other words: Ai is a given name.
    """
    name = name[:_LONGEST]
    mark = _AI_MARK.search(name)
    return (
        fold(name) in _AI_VOICES
        or (mark is not None and fold(mark[1]) in _AI_VOICES)
        or _AI_AROUND.search(fold_letters(name)) is not None
    )


def split_role(text: str, default: str) -> tuple[str, str]:
    """A credited name apart from the role behind it: "Ada Lund - translator".

    Behind a dash between blanks, one lower-case or single word that is not in the table is taken for
    a role we have yet to learn: contributor. Anything longer belongs to the name, as in "Radio
    Nord - Studio 4", and so does what says that a voice is a machine's. Without blanks ("Ada
    Lund-Übersetzer") only a listed role that is nobody's surname counts.
    """
    name, role = text, default
    while len(text) <= _LONGEST and (dashes := [*_DASH.finditer(name)]):
        before, after = name[: dashes[-1].start()], name[dashes[-1].end() :]
        found = _role(after.strip(), free=before[-1:].isspace() and after[:1].isspace())
        if found is None or not before.strip():
            break
        name, role = before.strip(), found
    return name, role


def _role(text: str, *, free: bool) -> str | None:
    if is_ai_voice(text):
        return None
    listed = fold(text).split()
    if all(word in _NAME_ENDS for word in listed):
        return None
    known = [_ROLES[word] for word in listed if word in _ROLES]
    others = [word for word in listed if word not in _ROLES and word not in _BESIDE]
    if known and not free:
        return known[0] if not others and known[0] in _WELDABLE else None
    if known and len(known) + len(others) <= 3:
        return "author" if "author" in known else known[0]
    return "contributor" if free and (len(listed) == 1 or text == text.lower()) else None
