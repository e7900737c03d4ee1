"""Names that only look like Latin ones: brought to the letters that a reader takes them for."""

from __future__ import annotations

import unicodedata

__all__ = ["latin"]

_TWINS = (
    # Cyrillic
    "аa бb вb гr дd еe ёe зz иu йu кk лl мm нh оo пn рp сc тt уy фf хx цu чy шw щw ьb эe юo яr "
    "іi їi јj ѕs ԁd ԛq ԝw һh ґr ѵv ӏl ԍg ҝk ҡk қk ңh өo үy ұy ҳx ӓa ӧo ӕa "
    # Greek
    "αa βb γy δd εe ζz ηn θo ιi κk λl μu νv ξe οo πn ρp σo ςc τt υu φp χx ψy ωw ϲc ϳj "
    # Armenian, Cherokee, and Latin letters with a form of their own
    "օo սu հh ոn ցg զq քp աw ѡw "
    "ıi ɩi ɪi ʟl ɑa ɡg ɢg ʀr ʏy ɴn ʜh ᴀa ʙb ᴄc ᴅd ᴇe ᴊj ᴋk ᴍm ᴏo ᴘp ꜱs ᴛt ᴜu ᴠv ᴡw ᴢz "
    "ßs øo đd ħh łl ŧt ƙk ƿp ƽs ȷj ɗd ɓb ɠg ƒf ʂs ʐz ꭓx ⲟo ⲣp ⲥc ⲧt ᏚS "
)
_LATIN = str.maketrans({pair[0]: pair[-1].lower() for pair in _TWINS.split()})


def latin(name: str) -> str:
    """The name in plain letters: compatibility forms, accents, characters without width and look-alikes undone.

    Case stays where it says where a word begins.

    >>> latin("p\\u0430ssw\\u043erd"), latin("pass\\u200bword"), latin("\\uff30\\uff37"), latin("pässwörd")
    ('password', 'password', 'PW', 'password')
    """
    if name.isascii():
        return name
    seen = []
    for character in unicodedata.normalize("NFKD", name):
        if unicodedata.category(character) in _UNSEEN:
            continue
        if not character.isascii():
            lower = character.lower()
            twin = lower.translate(_LATIN)
            character = twin.upper() if character != lower and twin.isascii() else twin
        seen.append(character)
    return "".join(seen)


_UNSEEN = frozenset(("Cf", "Cc", "Mn", "Me", "Mc"))
"""Categories of what takes no place: formats, controls, marks on letters."""
