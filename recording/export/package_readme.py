"""The page that lies in every exported package, for a judge: what this is, and how to verify it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

Language: TypeAlias = Literal["fr", "en"]

README_NAMES: Final[Mapping[Language, str]] = {"fr": "LISEZMOI.txt", "en": "README.txt"}

_TEXTS: Final[Mapping[Language, str]] = {
    "fr": """\
Enregistrement téléphonique {recording}

CE QUE C'EST
Ce dossier contient un enregistrement d'appel, tel que le central téléphonique Beffroi l'a gardé, avec de quoi
vérifier que rien n'y a été changé, ajouté ou retiré depuis.

L'APPEL
Début                 {begun} UTC, à {clock_ms} ms près (horloge : {clock})
Durée                 {seconds} s
Ligne, politique      {line}, {policy}
Appelant, appelé      {caller}, {called}
Canaux du son         {channels}
Paquets perdus        {lost} par l'enregistreur (recording.json dit quand et pourquoi)
Suite de              {continues}

POUR ÉCOUTER
Ouvrez {sound}. Sauf mention contraire dans recording.json (« channels »), chaque personne a son propre
canal (gauche, droite…). Le son commence au début de l'enregistrement : la seconde 12 du fichier est la
seconde 12 de l'appel. Un silence est un silence : là où rien n'est arrivé, rien n'a été inventé.

POUR VÉRIFIER, EN UNE COMMANDE
Dans ce dossier, sur un ordinateur qui a Python 3.10 ou plus récent et sa bibliothèque « cryptography » 42 ou
plus récente (python3 -m pip install cryptography) :

    python3 verify.pyz          (sous Windows : py verify.pyz)

La dernière ligne dit INTÈGRE, ou NON INTÈGRE ; dans ce cas, les lignes FAULT disent quel fichier, quel
segment et à partir de quelle seconde. La commande accepte aussi l'archive .zip elle-même, et y trouve alors
jusqu'au moindre bit changé : python3 verify.pyz PAQUET.zip

Deux choses sont à demander à d'autres qu'à ce dossier :
 1. L'empreinte de la clé du central, {node}
    Comparez-la à celle que la collectivité publie ou vous communique par une autre voie.
 2. verify.pyz lui-même, si vous ne voulez pas croire celui d'ici : il est le même dans tout paquet de la même
    version, et son code se lit (c'est une archive zip de programmes Python).

CE QUI EST DANS LE DOSSIER
{sound_padded}  le son, fabriqué à partir du fichier scellé au moment de l'export
recording.json        les faits : heures, personnes, codecs, mises en attente, silences certifiés, pertes
custody.txt           qui a enregistré, écouté, demandé, autorisé, exporté, et pourquoi
*.sealed              l'original : les paquets reçus, chiffrés seconde par seconde et enchaînés
recording.key         la clé de ce seul enregistrement, qui ouvre le fichier scellé
journal.txt           l'extrait signé du journal ; les lignes de 64 chiffres tiennent la place d'écritures qui
                      concernent d'autres enregistrements, et n'en disent rien
node.pem              la clé publique du central, qui signe le journal
stamp-*.tsr           les horodatages du journal par une autorité (RFC 3161), s'il y en a
stamp-authority.pem   le certificat de cette autorité, à comparer avec celui qu'elle publie
SHA256SUMS            l'empreinte de chaque fichier ; la sienne est signée dans le journal
verify.pyz            le programme de vérification

CE QUI EST PROUVÉ, ET CE QUI NE L'EST PAS
Prouvé : les fichiers sont ceux que le central a exportés ; l'original n'a pas changé depuis qu'il a été
écrit, ni été raccourci ; le journal montre tout ce qui a été fait de cet enregistrement. Avec un horodatage :
tout cela existait à l'heure que dit l'autorité.
Pas prouvé : qui tenait le téléphone ; l'exactitude de l'horloge au-delà de ce que dit « clock » dans
recording.json ; et, sans horodatage, rien contre quelqu'un qui aurait eu la clé privée du central.
Le son est une lecture de l'original. Un expert peut en refaire une avec ses propres outils :

    python3 verify.pyz --packets paquets      écrit les paquets reçus en fichiers .pcap (Wireshark les lit)
""",
    "en": """\
Telephone recording {recording}

WHAT THIS IS
This folder holds the recording of a call as the Beffroi exchange kept it, with what it takes to verify that
nothing in it was changed, added or taken away since.

THE CALL
Begin                 {begun} UTC, give or take {clock_ms} ms (clock: {clock})
Length                {seconds} s
Line, policy          {line}, {policy}
Caller, called        {caller}, {called}
Channels of the sound {channels}
Packets lost          {lost} by the recorder (recording.json says when and why)
Goes on from          {continues}

TO LISTEN
Open {sound}. Unless recording.json ("channels") says otherwise, each person has a channel of their own
(left, right, ...). The sound begins where the recording does: second 12 of the file is second 12 of the
call. Silence is silence: where nothing came, nothing was made up.

TO VERIFY, IN ONE COMMAND
In this folder, on a computer with Python 3.10 or later and its library "cryptography", version 42 or later
(python3 -m pip install cryptography):

    python3 verify.pyz          (on Windows: py verify.pyz)

The last line says INTACT or NOT INTACT; if it is not, the FAULT lines say which file, which segment and from
which second on. The command takes the .zip itself as well, and then finds every single bit that was changed
in it: python3 verify.pyz PACKAGE.zip

Two things should come from somewhere else than this folder:
 1. The fingerprint of the exchange's key, {node}
    Compare it with the one that the organisation publishes, or tells you by another way.
 2. verify.pyz itself, if you would rather not believe this one: it is the same in every package of the same
    version, and its code can be read (it is a zip archive of Python programs).

WHAT IS IN THE FOLDER
{sound_padded}  the sound, made from the sealed file when it was exported
recording.json        the facts: times, people, codecs, holds, certified silences, losses
custody.txt           who recorded, listened, asked, approved, exported, and why
*.sealed              the original: the packets as received, encrypted second by second and chained
recording.key         the key of this recording alone, which opens the sealed file
journal.txt           the signed excerpt of the journal; lines of 64 digits stand for entries about other
                      recordings, and tell nothing of them
node.pem              the exchange's public key, which signs the journal
stamp-*.tsr           time stamps of the journal by an authority (RFC 3161), where there are any
stamp-authority.pem   that authority's certificate, to be compared with the one that it publishes
SHA256SUMS            the hash of every file; its own is signed in the journal
verify.pyz            the program that verifies

WHAT IS PROVED, AND WHAT IS NOT
Proved: the files are those that the exchange exported; the original has not changed since it was written, nor
been made shorter; the journal shows all that was done with this recording. With a time stamp: all of this was
there at the time that the authority says.
Not proved: who held the telephone; that the clock was right beyond what "clock" in recording.json says; and,
without a time stamp, nothing against somebody who had the exchange's private key.
The sound is one reading of the original. An expert can make another with tools of their own:

    python3 verify.pyz --packets packets      writes the packets as received into .pcap files (for Wireshark)
""",
}


def readme(language: Language, facts: Mapping[str, Any], node: str) -> str:
    """Return the page. facts: what recording.json says; node: the fingerprint of the node's key."""
    about, sound = facts["about"], facts["sound"]
    clock: Mapping[str, Any] = facts["clock"][0] if facts["clock"] else {"source": "-", "offset_us": 0}
    together = " + ".join
    return _TEXTS[language].format(
        recording=facts["recording"],
        sound=sound["file"],
        sound_padded=sound["file"].ljust(20),
        node=node,
        begun=facts["begun"].replace("T", " ").rstrip("Z"),
        clock=clock["source"],
        clock_ms=round(clock["offset_us"] / 1000, 1),
        seconds=facts["seconds"],
        channels=", ".join(f"{n} = {together(who) or '-'}" for n, who in enumerate(sound["channels"], 1)),
        lost=sum(one["packets"] for one in facts["packets_lost_by_the_recorder"]),
        **{name: about.get(name) or "-" for name in ("line", "policy", "caller", "called", "continues")},
    )
