/** What the program says of desk telephones, with its French: the LAN and where they ask, waves, hosted firmware. */
import { type Pattern, translator } from "../../language/patterns";
import { SYSTEM_ERRORS } from "../../language/system_errors";

const FINDINGS: readonly Pattern[] = [
  // The LAN
  [
    "this machine has no address in a network of telephones: what is handed out there isn't seen",
    "ce serveur n’a pas d’adresse dans un réseau de téléphones : ce qui y est distribué ne se voit pas d’ici",
  ],
  [
    "run `beffroi doctor` on a machine there, or say in `networks:` where telephones are",
    "lancez `beffroi doctor` sur une machine de ce réseau, ou dites dans `networks:` où sont les téléphones",
  ],
  ["DHCP can't be asked: {why*}", "impossible d’interroger DHCP : {why*}"],
  ["plug and play can't be asked: {why*}", "impossible d’interroger l’autoconfiguration (plug and play) : {why*}"],
  [
    "run it as root, where no other DHCP client holds port 68",
    "lancez `beffroi doctor` en root, là où aucun autre client DHCP ne tient le port 68",
  ],
  [
    "{where}: no DHCP server answers a telephone that it doesn't know",
    "{where} : aucun serveur DHCP ne répond à un téléphone qu’il ne connaît pas",
  ],
  [
    "without one, telephones there need an address and the place of their settings typed in",
    "sans DHCP, il faut saisir sur chaque téléphone son adresse et celle de ses réglages",
  ],
  [
    "{where}: no DHCP server says where telephones find their settings",
    "{where} : aucun serveur DHCP ne dit où les téléphones trouvent leurs réglages",
  ],
  [
    "`beffroi phone dhcp dnsmasq` prints the lines (kea, windows and cisco as well)",
    "recopiez les lignes ci-dessus dans le serveur DHCP",
  ],
  ["{where}: {address} answers plug and play", "{where} : {address} répond à l’autoconfiguration (plug and play)"],
  [
    "{where}: {address} answers plug and play and sends telephones to {url}",
    "{where} : {address} répond à l’autoconfiguration (plug and play) et envoie les téléphones vers {url}",
  ],
  [
    "it is another PBX, or what is left of it: switch its provisioning off, or telephones go there",
    "c’est un autre autocommutateur, ou ce qu’il en reste : désactivez sa configuration automatique, sinon les téléphones y vont",
  ],
  [
    "{where}: the DHCP servers {servers*} send telephones to different places",
    "{where} : les serveurs DHCP {servers*} envoient les téléphones à des endroits différents",
  ],
  [
    "find out whose the second one is, and switch it off or give both the same options",
    "cherchez à qui est le second, puis arrêtez-le ou donnez aux deux les mêmes options",
  ],
  [
    "{where}: two DHCP servers answer, {servers*}, and say the same",
    "{where} : deux serveurs DHCP répondent, {servers*}, et disent la même chose",
  ],
  ["unless that is meant, switch one off", "si ce n’est pas voulu, arrêtez-en un"],
  [
    "{who*}, option 67: \"{file}\" is added to the address by some telephones",
    "{who*}, option 67 : certains téléphones ajoutent « {file} » à l’adresse",
  ],
  ["take option 67 away from telephones", "retirez l’option 67 pour les téléphones"],
  [
    "{who*}, option 120: telephones register at {registrars}, not here",
    "{who*}, option 120 : les téléphones se connectent à {registrars}, pas ici",
  ],
  ["take option 120 away", "retirez l’option 120"],
  [
    "{who*}, option 132: the voice network is VLAN {vlan}, and `vlan:` says {ours*}",
    "{who*}, option 132 : le réseau des téléphones est le VLAN {vlan}, et `vlan:` dit {ours*}",
  ],
  ["make both the same", "mettez la même valeur des deux côtés"],
  [
    "{who*}, option 42: the time server {address} doesn't answer",
    "{who*}, option 42 : le serveur de temps {address} ne répond pas",
  ],
  [
    "without the time, a telephone believes no certificate: name one that answers",
    "sans l’heure, un téléphone n’accepte aucun certificat : indiquez un serveur qui répond",
  ],
  ["{where*}: \"{said}\" is no address", "{where*} : « {said} » n’est pas une adresse"],
  ["{where*}: \"{said}\" is {what*}", "{where*} : « {said} » est {what*}"],
  [
    "{where*}: \"{said}\" is asked in clear: a telephone is then told where to go by whoever answers",
    "{where*} : « {said} » est demandé en clair : n’importe qui peut alors répondre au téléphone et l’envoyer ailleurs",
  ],
  [
    "{where*}: \"{said}\" is this node, elsewhere",
    "{where*} : « {said} » désigne bien ce serveur, mais à une autre adresse ou à un autre port",
  ],
  ["{where*}: \"{said}\" is another server", "{where*} : « {said} » est un autre serveur"],
  [
    "write {url} there; `beffroi phone dhcp` prints the lines",
    "écrivez-y {url} ; les lignes à recopier sont ci-dessus",
  ],
  // Where they ask
  [
    "nobody knows the name {host}, where telephones are to ask",
    "personne ne connaît le nom {host}, où les téléphones doivent s’adresser",
  ],
  [
    "enter it in the DNS that telephones use, or write an address in `provisioning: url:`",
    "inscrivez-le dans le DNS des téléphones, ou mettez une adresse dans `provisioning: url:`",
  ],
  [
    "{where}: telephones don't believe the certificate: {why*}",
    "{where} : les téléphones n’acceptent pas le certificat : {why*}",
  ],
  [
    "it must be for {host} and bring its chain; a new one is taken without a restart",
    "il doit être au nom de {host} et apporter sa chaîne ; un nouveau est pris sans redémarrer",
  ],
  [
    "does a firewall stand before it, and does `https:` listen there?",
    "y a-t-il un pare-feu devant, et `https:` écoute-t-il à cette adresse ?",
  ],
  ["{where}: the certificate ends on {day}", "{where} : le certificat est valable jusqu’au {day}"],
  [
    "renew it: a telephone that doesn't believe it fetches nothing any more",
    "renouvelez-le : un téléphone qui ne l’accepte plus ne relit plus rien",
  ],
  [
    "{where}: the certificate's key is of a kind that not all telephones take",
    "{where} : tous les téléphones n’acceptent pas ce type de clé de certificat",
  ],
  ["use RSA with 2048 bits or more, or ECDSA on P-256", "prenez RSA, 2048 bits au moins, ou ECDSA sur P-256"],
  [
    "{where}: the certificate's key is ECDSA: telephones from before 2016 take RSA alone",
    "{where} : la clé du certificat est ECDSA, et les téléphones d’avant 2016 ne connaissent que RSA",
  ],
  ["where one doesn't connect, show an RSA one", "si l’un d’eux ne se connecte pas, présentez un certificat RSA"],
  [
    "{where}: it is reached, and answers no request ({error})",
    "{where} : il est joint, mais ne répond à aucune requête ({error})",
  ],
  ["is another program there?", "un autre programme est-il à cette adresse ?"],
  [
    "{where}: a file that nobody has was answered with {status}",
    "{where} : un fichier qui n’existe pas a reçu la réponse {status}",
  ],
  [
    "another program, or a proxy, answers there: telephones would take what it says for settings",
    "un autre programme, ou un mandataire, répond à cette adresse : les téléphones prendraient ce qu’il dit pour des réglages",
  ],
  // Time and TFTP
  ["the time server {host} doesn't answer", "le serveur de temps {host} ne répond pas"],
  [
    "without the time, a telephone believes no certificate: name one that answers in `time_server:`",
    "sans l’heure, un téléphone n’accepte aucun certificat : indiquez dans `time_server:` un serveur qui répond",
  ],
  [
    "telephones ask this machine ({host}) for the time, and it doesn't answer",
    "les téléphones demandent l’heure à cette machine ({host}), qui ne répond pas",
  ],
  [
    "install chrony and allow their networks, or name another in `provisioning: time_server:`",
    "installez chrony et autorisez leurs réseaux, ou indiquez un autre serveur dans `provisioning: time_server:`",
  ],
  ["TFTP at {where} doesn't answer", "TFTP ne répond pas à {where}"],
  [
    "does a firewall stand before it? its answers come from another port",
    "y a-t-il un pare-feu devant ? ses réponses viennent d’un autre port",
  ],
  // Why a wave was stopped
  ["1 telephone didn't come back", "1 téléphone n’est pas revenu"],
  ["{count} telephones didn't come back", "{count} téléphones ne sont pas revenus"],
  ["by {account}", "par {account}"],
  // Hosted firmware
  ["{file}: there is no such file", "{file} : ce fichier n’existe pas"],
  ["{name} can't be read: {why*}", "{name} est illisible : {why*}"],
  [
    "{name} isn't the file that was pinned: it is not handed out",
    "{name} n’est plus le fichier dont l’empreinte a été notée : il n’est donné à personne",
  ],
  ["{file}: can't be read: {why*}", "{file} : illisible : {why*}"],
  ["{file}: longer than {size} MB", "{file} : plus de {size} Mo"],
];

const PARTS: readonly Pattern[] = [
  ...SYSTEM_ERRORS,
  ["{where}: the DHCP server {server}, option {number}", "{where} : le serveur DHCP {server}, option {number}"],
  ["{where}: the DHCP server {server}", "{where} : le serveur DHCP {server}"],
  ["{one} and {other}", "{one} et {other}"],
  ["this machine, where no `tftp:` is configured", "cette machine, où `tftp:` n’est pas configuré"],
  ["another TFTP server", "un autre serveur TFTP"],
  ["none", "aucun"],
];

/** A finding, its mend, or why telephones get nothing, in French; undefined for what isn't known. */
export const inFrench = translator({ sentences: FINDINGS, parts: PARTS, others: [["{where}: {what*}", "{where} : {what*}"]] });
