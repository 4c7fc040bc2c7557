/** Why a delivery wasn't taken, as the program says it, with its French. */
import { type Pattern, translator } from "../../language/patterns";
import { SYSTEM_ERRORS } from "../../language/system_errors";

const TROUBLES: readonly Pattern[] = [
  ["no answer within {seconds} s", "pas de réponse en {seconds} s"],
  ["answers {status}", "répond {status}"],
  ["leads elsewhere: redirects aren't followed", "renvoie ailleurs : les redirections ne sont pas suivies"],
  ["{host} can't be looked up: {why*}", "{host} est introuvable dans le DNS : {why*}"],
  ["{host} has no address", "{host} n’a pas d’adresse"],
  [
    "{address} is no address of a program that could be told",
    "{address} n’est pas l’adresse d’un programme qui puisse être prévenu",
  ],
  [
    "{address} is in a private network, and nobody has said that it may be",
    "{address} est dans un réseau privé, ce que personne n’a autorisé",
  ],
  [
    "{address} is outside of our networks: there it takes https",
    "{address} est hors de nos réseaux : il y faut https",
  ],
  ["{what} of {whose}: isn't sealed by this program", "le secret de {whose} n’est pas scellé par ce programme"],
  [
    "{what} of {whose}: was sealed by another node, or is damaged",
    "le secret de {whose} a été scellé par un autre serveur, ou il est abîmé",
  ],
  // The HTTP client's own
  ["All connection attempts failed", "connexion impossible"],
  ["Server disconnected without sending a response.", "connexion coupée sans réponse"],
];

/** What went wrong, in French; undefined for what isn't known. */
export const inFrench = translator({ sentences: [...TROUBLES, ...SYSTEM_ERRORS] });
