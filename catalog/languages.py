"""Languages under one name each: the lower-case English word that the catalogue API uses."""

from catalog.normalise import clean, fold

# The API's word, then its code, then what sites, other codes and other languages call it.
_NAMES = {
    "english": "en eng englisch anglais ingles inglese engelsk engelska engels 英語 英语 английский अंग्रेज़ी",
    "german": "de deu ger deutsch allemand aleman tedesco alemao tysk tyska duits ドイツ語 德语 немецкий",
    "french": "fr fra fre francais franzosisch frances francese fransk franska frans フランス語 法语 французский",
    "spanish": "es spa espanol castellano castilian spanisch espagnol spagnolo espanhol spansk spanska "
    "castilla スペイン語 西班牙语 испанский",
    "italian": "it ita italiano italienisch italien italiensk italienska イタリア語 意大利语 итальянский",
    "japanese": "ja jp jpn japanisch japonais japones giapponese japansk 日本語 日语 日語 японский",
    "portuguese": "pt por portugues portugiesisch portugais portoghese portugisisk ポルトガル語 葡萄牙语 португальский",
    "dutch": "nl nld dut nederlands niederlandisch neerlandais neerlandes holandes olandese holandais オランダ語",
    "danish": "da dan dansk danisch danois danes danese dinamarques デンマーク語",
    "swedish": "sv swe svenska schwedisch suedois sueco svedese スウェーデン語",
    "norwegian": "no nb nn nor norsk norwegisch norvegien noruego norvegese noruegues ノルウェー語",
    "finnish": "fi fin suomi finnisch finnois fines finlandese finlandes フィンランド語",
    "icelandic": "is isl islenska islandisch islandais islandes islandese アイスランド語",
    "polish": "pl pol polski polnisch polonais polaco polacco polones ポーランド語 польский",
    "czech": "cs ces cestina tschechisch tcheque checo ceco tcheco チェコ語",
    "hungarian": "hu hun magyar ungarisch hongrois hungaro ungherese ハンガリー語",
    "romanian": "ro ron romana rumanisch roumain rumano rumeno romeno ルーマニア語",
    "bulgarian": "bg bul bulgarisch bulgare bulgaro ブルガリア語 български",
    "greek": "el ell griechisch grec griego greco grego ギリシャ語 ελληνικα",
    "russian": "ru rus russisch russe ruso russo ロシア語 俄语 русский",
    "ukrainian": "uk ukr ukrainisch ukrainien ucraniano ucraino ウクライナ語 українська",
    "turkish": "tr tur turkce turkisch turc turco トルコ語",
    "arabic": "ar ara arabisch arabe arabo アラビア語 العربية",
    "hebrew": "he heb hebraisch hebreu hebreo ebraico hebraico ヘブライ語 עברית",
    "hindi": "hi hin ヒンディー語 हिन्दी हिंदी",
    "tamil": "ta tam tamoul タミル語 தமிழ்",
    "telugu": "te tel テルグ語 తెలుగు",
    "marathi": "mr mar marathe मराठी",
    "bengali": "bn ben bangla বাংলা",
    "urdu": "ur urd ウルドゥー語 اردو",
    "korean": "ko kor koreanisch coreen coreano 韓国語 韩语 한국어",
    "mandarin_chinese": "zh zho chi cmn chinese mandarin chinesisch mandarinchinesisch chinois chino cinese "
    "chines 中文 汉语 漢語 中国語 普通话 普通話 国语 國語 китайский",
    "cantonese": "yue kantonesisch cantonais cantones 広東語 粤语 粵語 廣東話",
    "catalan": "ca cat catala katalanisch catalano catalao カタロニア語",
    "galician": "gl glg galego gallego galicisch",
    "basque": "eu eus euskara euskera baskisch vasco basco",
    "latin": "la lat latein lateinisch latim latino ラテン語",
    "afrikaans": "af afr",
    "vietnamese": "vi vie vietnamesisch vietnamien vietnamita ベトナム語",
    "thai": "th tha thailandisch thailandais タイ語",
    "indonesian": "id ind indonesisch indonesien indonesio indonesiano インドネシア語",
    "croatian": "hr hrv hrvatski kroatisch croate croato croata",
    "serbian": "sr srp srpski serbisch serbe serbo",
    "slovak": "sk slk slovencina slowakisch slovaque slovacco eslovaco",
    "estonian": "et est eesti estnisch estonien estone",
    "latvian": "lv lav latviesu lettisch letton lettone leton letao",
    "lithuanian": "lt lit lietuviu litauisch lituanien lituano",
    "swahili": "sw swa kiswahili suaheli",
    "swiss_german": "gsw schweizerdeutsch schwyzerdutsch",
}
_WORDS = {fold(name): word for word, names in _NAMES.items() for name in (word, *names.split())}
_CODES = {word: names.split()[0] for word, names in _NAMES.items()}


def language(text: str) -> str | None:
    """The word for what a store says ("Deutsch", "en-US", "Portuguese (Brazil)").

    One we do not know stays as it is, in lower case: better an odd word than a wrong one.
    """
    cleaned = clean(text)
    words = fold(cleaned).split()
    if not words:
        return None
    return _WORDS.get(" ".join(words)) or _last(words) or _WORDS.get(words[0]) or cleaned.lower()


def _last(words: list[str]) -> str | None:
    """Where the region comes first: "Brazilian Portuguese", "Simplified Chinese"."""
    return _WORDS.get(words[-1]) if len(words[-1]) > 3 else None


def code_of(word: str) -> str:
    """The code (RFC 5646) of a language by its word; empty for a word we do not know."""
    return _CODES.get(word, "")
