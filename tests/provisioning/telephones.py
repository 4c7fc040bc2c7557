"""A telephone of the sample town, as every model of every brand is rendered in the golden files."""

from provisioning.brand import Brand
from provisioning.telephone import Account, Firmware, Key, Ldap, SipServer, Telephone
from provisioning.zones import zone

KEYS = (
    Key("line", "", "2010"),
    Key("lamp", "2011", "Paul Petit"),
    Key("speed_dial", "0383000100", "Mairie"),
    Key("park", "8301", "Parc 1"),
    Key("page", "8401", "Ateliers"),
    Key("service", "*21", "Renvoi"),
)


def telephone(brand: Brand, model: str, **changed: object) -> Telephone:
    """Élodie Martin's, with as many of KEYS as the model has, changed where a test says so."""
    given: dict[str, object] = {
        "mac": "805ec0123456",
        "model": model,
        "accounts": (Account("2010-desk", "kT9vQx2mRw7n", "2010", "Élodie Martin", "2010 Élodie"),),
        "server": SipServer("pbx.valmont.example", 5061, "tls", srtp=True),
        "domain": "valmont.example",
        "language": "fr",
        "zone": zone("Europe/Paris"),
        "time_server": "10.54.1.1",
        "settings_url": "https://pbx.valmont.example:8443/s/gX2wqPz0aVbC1dEfGhIjKl/",
        "web_password": "w8Rj3hYp",
        "user_password": "u5Tk7nQd",
        "keys": KEYS[: brand.models[model].keys],
        "voicemail": "*98",
        "directory_url": "https://pbx.valmont.example:8443/s/gX2wqPz0aVbC1dEfGhIjKl/directory.xml",
        "ldap": Ldap("pbx.valmont.example", 636, "ou=people,dc=valmont", "cn=805ec0123456", "nB4kLs9d"),
        "authority_url": "http://pbx.valmont.example:8090/authority.pem",
        "firmware": Firmware(
            "https://pbx.valmont.example:8443/firmware/0123456789abcdef/image.rom", "96.86.0.23"
        ),
        "vlan": 20,
        "pages_listened": (("239.54.0.1", 5004),),
    }
    return Telephone(**(given | changed))
