"""`beffroi recording recover-numbers`: after the list of recordings was lost."""

from __future__ import annotations

from itertools import islice

import typer

from pbx.cli.application import ConfigurationOption, JsonOption
from pbx.cli.listening import KeyOption, private_key
from pbx.cli.printing import print_json
from pbx.cli.reading import configured, fail
from pbx.cli.recordings import WhyOption, asked, recording

_AT_ONCE = 1000


@recording.command("recover-numbers")
def recover_numbers(
    configuration: ConfigurationOption = None,
    as_json: JsonOption = False,
    why: WhyOption = "",
    key: KeyOption = None,
) -> None:
    """Read who spoke out of the sealed files, after the list of recordings was lost.

    All else the node makes again from its journal, by itself. It takes the private key.
    """
    from recording.archive.recovery import numbers
    from recording.archive.requests import NumbersTaken, TellNumbers
    from recording.keys import KeyStore

    settings = configured(configuration)
    private = private_key(settings, key)
    found = numbers(settings.recordings.directory, KeyStore(settings.recording_keys_dir), private)
    taken = unopened = 0
    try:
        while some := list(islice(found, _AT_ONCE)):
            unopened += sum(not one.known for one in some)
            told = {one.recording: (one.caller, one.called) for one in some if one.known}
            taken += asked(settings, TellNumbers(why=why, numbers=told), NumbersTaken).count
    except OSError as error:
        fail(f"{error.filename or settings.recordings.directory}: {error.strerror}")
    if as_json:
        print_json({"recovered": taken, "unopened": unopened})
        return
    typer.echo(f"{taken} recordings have their numbers again")
    if unopened:
        typer.echo(f"{unopened} can't be opened: `beffroi recording verify --all` says why")
