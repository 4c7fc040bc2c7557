import { expect, it } from "vitest";

import { inFrench } from "./findings";

it.each([
  ["3 telephones didn't come back", "3 téléphones ne sont pas revenus"],
  ["by claire", "par claire"],
  ["eth1 (10.54.1.5): DHCP can't be asked: Permission denied", "eth1 (10.54.1.5) : impossible d’interroger DHCP : accès refusé"],
  [
    'eth1 (10.54.1.5): the DHCP server 10.54.1.1, option 66: "https://old.example/" is another server',
    "eth1 (10.54.1.5) : le serveur DHCP 10.54.1.1, option 66 : « https://old.example/ » est un autre serveur",
  ],
  [
    'eth1 (10.54.1.5): the DHCP server 10.54.1.1, option 66: "10.54.1.5" is this machine, where no `tftp:` is configured',
    "eth1 (10.54.1.5) : le serveur DHCP 10.54.1.1, option 66 : « 10.54.1.5 » est cette machine, où `tftp:` n’est pas configuré",
  ],
  [
    "eth1 (10.54.1.5): the DHCP server 10.54.1.1, option 132: the voice network is VLAN 30, and `vlan:` says none",
    "eth1 (10.54.1.5) : le serveur DHCP 10.54.1.1, option 132 : le réseau des téléphones est le VLAN 30, et `vlan:` dit aucun",
  ],
  [
    "eth1 (10.54.1.5): the DHCP servers 10.54.1.1 and 10.54.1.2 send telephones to different places",
    "eth1 (10.54.1.5) : les serveurs DHCP 10.54.1.1 et 10.54.1.2 envoient les téléphones à des endroits différents",
  ],
  [
    "write https://valmont.example:8443/ there; `beffroi phone dhcp` prints the lines",
    "écrivez-y https://valmont.example:8443/ ; les lignes à recopier sont ci-dessus",
  ],
  ["10.54.1.5:8443: Connection refused", "10.54.1.5:8443 : connexion refusée"],
])("says %s", (english, french) => {
  expect(inFrench(english)).toBe(french);
});

it("leaves what it doesn't know", () => {
  expect(inFrench("the moon is full")).toBeUndefined();
});
