"""Numbers and instants as they are said: digits that a voice doesn't read as one large number."""

from __future__ import annotations

from datetime import datetime, timedelta

from dialplan.country import Country
from dialplan.number_formats import written

_MONTHS = {
    "fr": (
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    "en": (
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
}  # fmt: skip


def spoken_number(number: str, country: Country, language: str) -> str:
    """A number as it would be dialled in the country: in pairs in French, digit by digit otherwise.

    What isn't a number (a service's name) is said as it is.
    """
    digits = written(number, "national", country)
    if not digits.isdigit():
        return digits
    if language != "fr":
        return " ".join(digits)
    first = len(digits) % 2
    pairs = [digits[:first]] + [digits[place : place + 2] for place in range(first, len(digits), 2)]
    return " ".join(pair for pair in pairs if pair)


def spoken_until(instant: datetime, now: datetime, language: str) -> str:
    """The end of a time as people say it: the hour today, midnight, else with its date.

    Both are in one time zone. In French with what follows "jusqu'", in English what follows "until".
    """
    month = _MONTHS[language][instant.month - 1]
    is_midnight = (instant.hour, instant.minute) == (0, 0) and instant - now <= timedelta(days=1)
    if language == "fr":
        minutes = f" {instant.minute:02d}" if instant.minute else ""
        hour = f"à {instant.hour} heure{'s' if instant.hour > 1 else ''}{minutes}"
        if is_midnight:
            return "à minuit"
        day = "1er" if instant.day == 1 else str(instant.day)
        return hour if instant.date() == now.date() else f"au {day} {month} {hour}"
    hour = "midnight" if is_midnight else f"{instant.hour}:{instant.minute:02d}"
    return hour if is_midnight or instant.date() == now.date() else f"{hour} on {instant.day} {month}"


def spoken_since(instant: datetime, now: datetime, language: str) -> str:
    """When something was, as people say it: today, yesterday, else its date. Both are in one time zone."""
    days = (now.date() - instant.date()).days
    month = _MONTHS[language][instant.month - 1]
    if language == "fr":
        minutes = f" {instant.minute:02d}" if instant.minute else ""
        hour = f"à {instant.hour} heure{'s' if instant.hour > 1 else ''}{minutes}"
        day = "1er" if instant.day == 1 else str(instant.day)
        return f"{ {0: 'aujourd’hui', 1: 'hier'}.get(days, f'le {day} {month}') } {hour}"
    hour = f"{instant.hour}:{instant.minute:02d}"
    return f"{ {0: 'today', 1: 'yesterday'}.get(days, f'on {instant.day} {month}') } at {hour}"
