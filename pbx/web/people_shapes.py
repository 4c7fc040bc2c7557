"""What the API says and takes of people, devices and services."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pbx.people.search import Entry
from pbx.store.absences import Absence

ExtensionField = Annotated[str, Field(pattern=r"^[0-9]{1,15}$", examples=["2011"])]
NameField = Annotated[str, Field(min_length=1, max_length=200, examples=["Claire Dupont"])]
WordField = Annotated[str, Field(max_length=200)]
MobileField = Annotated[
    str, Field(pattern=r"^(\+[0-9]{4,15})?$", description="E.164; empty for none.", examples=["+33612345678"])
]
GroupsField = Annotated[list[NameField], Field(max_length=50, examples=[["accueil"]])]


class AbsenceShown(BaseModel):
    """What somebody's absence note says, and until when (Unix seconds)."""

    text: str = Field(examples=["En congé"])
    until_at: float = Field(examples=[1795460400.0])
    by: str = Field(description="Who wrote it.", examples=["claire"])


class EntryShown(BaseModel):
    """Somebody or something that can be called."""

    id: str = Field(examples=["person:2011"])
    kind: Literal["person", "service", "group"]
    name: str = Field(examples=["Claire Dupont"])
    number: str = Field(description="Inside; empty for none.", examples=["2011"])
    public_number: str = Field(description="E.164; empty for none.", examples=["+33383001011"])
    site: str = Field(examples=["mairie"])
    site_title: str = Field(examples=["Hôtel de ville"])
    groups: list[str] = Field(examples=[["accueil"]])
    mobile: str = Field(description="For oneself and those who see all calls.", examples=["+33612345678"])
    source: Literal["database", "plan"] = Field(description="Who is written in the plan is changed there.")
    type: str = Field(description="Of a service.", examples=[""])
    members: int = Field(description="Of a group.", examples=[0])
    photo_at: float = Field(description="When the photo was changed; 0 for none.", examples=[0.0])
    absence: AbsenceShown | None = Field(examples=[None])


class Entries(BaseModel):
    """A page of the directory."""

    items: list[EntryShown]
    next: str = Field("", description="`after` of the next page; empty for none.", examples=[""])


class OwnDevice(BaseModel):
    """A device of a person, in short."""

    sign_in: str = Field(examples=["2011-app"])
    kind: str = Field(examples=["app"])
    label: str = Field(examples=["Mobile"])


class PersonShown(EntryShown):
    """Somebody, with what their page shows. devices: for themselves and those who may see devices."""

    class_name: str = Field(examples=["national"])
    line: int = Field(description="Of the plan; 0 for somebody of the database.", examples=[0])
    devices: list[OwnDevice]


class PersonDone(BaseModel):
    """Somebody as they are now. told: of the plan, what is worth knowing."""

    person: PersonShown
    told: list[str] = Field(examples=[[]])


class DeviceCredentials(BaseModel):
    """What a telephone signs in with. The password is shown this once."""

    sign_in: str = Field(examples=["2011"])
    password: str = Field(examples=["h7k2m9…"])
    domain: str = Field(examples=["valmont.example"])
    server: str = Field(description="Host, and port where it isn't 5060.", examples=["192.0.2.10"])


class PersonAdded(PersonDone):
    """Somebody new, with their first device."""

    credentials: DeviceCredentials


class Asked(BaseModel):
    """A body: nothing in it that isn't known."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class AddPerson(Asked):
    """A person to add. class_name: "" for the plan's first."""

    extension: ExtensionField
    name: NameField
    class_name: WordField = ""
    site: WordField = ""
    groups: GroupsField = []
    mobile: MobileField = ""


class ChangePerson(Asked):
    """What changes of a person; what isn't given stays."""

    name: NameField | None = None
    class_name: WordField | None = None
    site: WordField | None = None
    groups: GroupsField | None = None
    mobile: MobileField | None = None


class SetAbsence(Asked):
    """An absence note, until an instant in Unix seconds."""

    text: Annotated[str, Field(min_length=1, max_length=200, examples=["En congé"])]
    until_at: float = Field(examples=[1795460400.0])


class Favourites(Asked):
    """Ids of entries, in the order that one likes."""

    entries: Annotated[
        list[Annotated[str, Field(pattern=r"^(person|service|group):.{1,200}$")]],
        Field(max_length=100, examples=[["person:2011", "service:standard"]]),
    ]


def entry_shown(entry: Entry, photo_at: float, absence: Absence | None, *, with_mobile: bool) -> EntryShown:
    """Return an entry as the API says it."""
    return EntryShown.model_construct(
        id=entry.id,
        kind=entry.kind,
        name=entry.name,
        number=entry.number,
        public_number=entry.public,
        site=entry.site,
        site_title=entry.site_title,
        groups=list(entry.groups),
        mobile=entry.mobile if with_mobile else "",
        source="database" if entry.source == "database" else "plan",
        type=entry.type,
        members=entry.members,
        photo_at=photo_at,
        absence=absence_shown(absence),
    )


def absence_shown(absence: Absence | None) -> AbsenceShown | None:
    """Return an absence note as the API says it."""
    if absence is None:
        return None
    return AbsenceShown.model_construct(text=absence.text, until_at=absence.until, by=absence.by)
