/** Why something can't be done with a call now: the program's sentence (pbx/api), with its French. */
import { type Pattern, translator } from "./patterns";

const REASONS: readonly Pattern[] = [
  ["nobody waits at {place}", "Personne n’attend à la place {place}."],
  ["no telephone that may be picked up is ringing", "Aucun téléphone dont vous pouvez prendre l’appel ne sonne."],
  ["that telephone answers by its own keys alone", "Ce téléphone ne répond que par ses propres touches."],
  [
    "its telephone holds the call, and resumes it by its own keys",
    "C’est le téléphone qui a mis l’appel en attente : reprenez-le par ses touches.",
  ],
  ["these are one call", "C’est un seul et même appel."],
  ["it speaks with somebody", "Cet appel est en conversation."],
  ["who is in a conference leaves it before", "Quittez d’abord la conférence."],
  ["{place} is no parking place", "« {place} » n’est pas une place de parcage."],
  ["no parking place is free", "Aucune place de parcage n’est libre."],
  ["the plan has no parking place", "Le plan n’a pas de place de parcage."],
  ["keys are 0 to 9, *, #, A to D, and at most {count} of them", "Les touches sont 0 à 9, *, #, A à D ; {count} au plus."],
  [
    "name a file from the root, and at most {seconds} s",
    "Donnez le chemin entier d’un fichier, et {seconds} s au plus.",
  ],
  ["ask for 1 to {count} keys, within {seconds} s", "Demandez 1 à {count} touches, en {seconds} s au plus."],
  ["a text has 1 to {count} letters, in {languages}", "Un texte a 1 à {count} lettres, en {languages}."],
  ["tones are {names} and music", "Les sons sont {names} et music."],
  ["not while {who} is called", "Pas pendant que {who} sonne."],
  ["not while {who} is held", "Pas pendant que {who} est en attente."],
  ["not while {who} is in a conference", "Pas pendant que {who} est en conférence."],
  ["not while {who} {state}", "Pas dans l’état où est l’appel de {who}."],
  ["{who} is in {count} calls: say which", "{who} est dans {count} appels : dites lequel."],
  ["there is no {what}", "« {what} » n’existe pas."],
  ["{who} has no telephone here", "{who} n’a aucun téléphone connecté."],
  ["the call has ended, or is being transferred already", "L’appel est terminé, ou déjà en cours de transfert."],
  ["the plan doesn't let this recording be stopped", "Le plan ne permet pas d’arrêter cet enregistrement."],
  ["it is recorded already", "Cet appel est déjà enregistré."],
  ["it can't be recorded at the moment", "Cet appel ne peut pas être enregistré en ce moment."],
  ["the plan doesn't let this call be recorded", "Le plan ne permet pas d’enregistrer cet appel."],
  ["it isn't recorded", "Cet appel n’est pas enregistré."],
  ["the node is stopping", "Le serveur s’arrête."],
  ["not while a service has the call", "Pas pendant qu’un service tient l’appel."],
  [
    "the call is busy with something else; ask again in a moment",
    "L’appel est occupé à autre chose : recommencez dans un instant.",
  ],
  // What the plan answers to who may not call somewhere, and what a SIP status says
  ["You are not allowed to call this number.", "Vous n’êtes pas autorisé à appeler ce numéro."],
  ["This number does not exist.", "Ce numéro n’existe pas."],
  [
    "This code does not exist, or some of its digits are missing.",
    "Ce code n’existe pas, ou il lui manque des chiffres.",
  ],
  ["This service is closed.", "Ce service est fermé."],
  ["This service cannot be reached.", "Ce service n’est pas joignable."],
  ["No operator can show your number.", "Aucun opérateur ne peut présenter votre numéro."],
  ["The limit of outside calls is reached.", "Le plafond des appels extérieurs est atteint."],
  ["No outside line is provided for this call.", "Aucune ligne extérieure n’est prévue."],
  [
    "Anonymous calls are not accepted. Please call again showing your number.",
    "Les appels anonymes ne sont pas acceptés. Rappelez en montrant votre numéro.",
  ],
  ["Your calls are not accepted here.", "Vos appels ne sont pas acceptés."],
  ["Please do not disturb.", "Votre correspondant ne souhaite pas être dérangé."],
  ["The person you called cannot be reached.", "Votre correspondant n’est pas joignable."],
  ["that isn't allowed", "Ce n’est pas permis."],
  ["there is no such number", "Ce numéro n’existe pas."],
  ["nobody can be reached there", "Personne n’y est joignable."],
  ["that call has ended", "Cet appel est terminé."],
  ["busy", "Occupé."],
  ["the call was declined", "L’appel a été refusé."],
];

/** The French of a reason; undefined for one that isn't known. */
export const reasonInFrench = translator({ sentences: REASONS });
