"""Languages by code and by name: OpenAI takes the one and returns the other."""

from livekit.plugins.local.engine.openai.errors import invalid

# The languages of Whisper, from the tables of https://github.com/openai/whisper (MIT).
_NAMES = dict(
    entry.split("=")
    for entry in (
        "af=afrikaans am=amharic ar=arabic as=assamese az=azerbaijani ba=bashkir be=belarusian "
        "bg=bulgarian bn=bengali bo=tibetan br=breton bs=bosnian ca=catalan cs=czech cy=welsh "
        "da=danish de=german el=greek en=english es=spanish et=estonian eu=basque fa=persian "
        "fi=finnish fo=faroese fr=french gl=galician gu=gujarati ha=hausa haw=hawaiian he=hebrew "
        "hi=hindi hr=croatian ht=haitian_creole hu=hungarian hy=armenian id=indonesian "
        "is=icelandic it=italian ja=japanese jw=javanese ka=georgian kk=kazakh km=khmer "
        "kn=kannada ko=korean la=latin lb=luxembourgish ln=lingala lo=lao lt=lithuanian "
        "lv=latvian mg=malagasy mi=maori mk=macedonian ml=malayalam mn=mongolian mr=marathi "
        "ms=malay mt=maltese my=myanmar ne=nepali nl=dutch nn=nynorsk no=norwegian oc=occitan "
        "pa=punjabi pl=polish ps=pashto pt=portuguese ro=romanian ru=russian sa=sanskrit "
        "sd=sindhi si=sinhala sk=slovak sl=slovenian sn=shona so=somali sq=albanian sr=serbian "
        "su=sundanese sv=swedish sw=swahili ta=tamil te=telugu tg=tajik th=thai tk=turkmen "
        "tl=tagalog tr=turkish tt=tatar uk=ukrainian ur=urdu uz=uzbek vi=vietnamese yi=yiddish "
        "yo=yoruba yue=cantonese zh=chinese"
    ).split()
)


def language_code(value: str, param: str) -> str:
    """Return the code of a language that a request names by code, ``fr`` or ``fr-CA``.

    Raises:
        ApiError: Whisper does not know it.
    """
    code = value.strip().partition("-")[0].lower()
    if code not in _NAMES:
        raise invalid(param, f"is {value[:40]!r}, which is not a language code such as en or fr")
    return code


def language_name(code: str) -> str:
    """Return the English name of a language, in lower case; its code if it has none here."""
    return _NAMES.get(code, code).replace("_", " ")
