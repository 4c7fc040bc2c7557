/**
 * Every page: its address, the place where it is found, who may open it, its name, and how it is loaded.
 *
 * A page's component gets what its address names: `/history/:call` gives `{ params: { call } }`. A page without a
 * name in the menu (`menu: false`) is one that others lead to. `right: "anybody"` needs no session. Add yours in the
 * order in which the menu shows them, in its own line, so that several people can.
 */
import type { ComponentType } from "react";

import type { Right } from "./server/session";

export type Place = "telephone" | "switchboard" | "rooms" | "messages" | "administration";
export const PLACES: readonly Place[] = ["telephone", "switchboard", "rooms", "messages", "administration"];

export interface PageProps {
  readonly params: Readonly<Record<string, string>>;
}

export interface PageEntry {
  readonly path: string;
  readonly place: Place;
  readonly right: Right | "anybody";
  readonly title: { readonly fr: string; readonly en: string };
  readonly menu?: boolean;
  readonly load: () => Promise<{ default: ComponentType<PageProps> }>;
}

// prettier-ignore
export const PAGES: readonly PageEntry[] = [
  { path: "/", place: "telephone", right: "own", title: { fr: "Accueil", en: "Home" }, load: () => import("./pages/home/Home") },
  { path: "/telephone", place: "telephone", right: "own", title: { fr: "Mon téléphone", en: "My telephone" }, load: () => import("./pages/telephone/Telephone") },
  { path: "/calls", place: "telephone", right: "own", title: { fr: "Appels en cours", en: "Calls in progress" }, load: () => import("./pages/calls/Calls") },
  { path: "/directory", place: "telephone", right: "people.read", title: { fr: "Annuaire", en: "Directory" }, load: () => import("./pages/directory/Directory") },
  { path: "/directory/new", place: "telephone", right: "people.change", title: { fr: "Ajouter une personne", en: "Add a person" }, menu: false, load: () => import("./pages/directory/PersonForm") },
  { path: "/directory/import", place: "telephone", right: "people.change", title: { fr: "Importer des personnes", en: "Import people" }, menu: false, load: () => import("./pages/directory/Import") },
  { path: "/directory/:extension", place: "telephone", right: "people.read", title: { fr: "Personne", en: "Person" }, menu: false, load: () => import("./pages/directory/PersonPage") },
  { path: "/directory/:extension/change", place: "telephone", right: "people.change", title: { fr: "Modifier une personne", en: "Change a person" }, menu: false, load: () => import("./pages/directory/PersonForm") },
  { path: "/services", place: "telephone", right: "people.read", title: { fr: "Services", en: "Services" }, load: () => import("./pages/directory/Services") },
  { path: "/devices", place: "telephone", right: "own", title: { fr: "Postes", en: "Devices" }, load: () => import("./pages/devices/Devices") },
  { path: "/devices/:device", place: "telephone", right: "own", title: { fr: "Poste", en: "Device" }, menu: false, load: () => import("./pages/devices/DevicePage") },
  { path: "/first-run", place: "administration", right: "anybody", title: { fr: "Première mise en route", en: "First run" }, menu: false, load: () => import("./pages/first_run/FirstRun") },
  { path: "/first-call", place: "administration", right: "people.change", title: { fr: "Le premier téléphone", en: "The first telephone" }, menu: false, load: () => import("./pages/first_run/FirstCall") },
  { path: "/sound", place: "telephone", right: "own", title: { fr: "Son et casque", en: "Sound and headset" }, load: () => import("./pages/sound/Sound") },
  { path: "/history", place: "telephone", right: "own", title: { fr: "Journal des appels", en: "Call history" }, load: () => import("./pages/history/History") },
  { path: "/history/:call", place: "telephone", right: "own", title: { fr: "Un appel", en: "A call" }, menu: false, load: () => import("./pages/history/CallPage") },
  { path: "/plan", place: "administration", right: "plan.read", title: { fr: "Plan de numérotation", en: "Numbering plan" }, load: () => import("./pages/plan/Plan") },
  { path: "/trunks", place: "administration", right: "trunks.read", title: { fr: "Opérateurs", en: "Operators" }, load: () => import("./pages/trunks/Trunks") },
  { path: "/trunks/:name", place: "administration", right: "trunks.read", title: { fr: "Opérateur", en: "Operator" }, menu: false, load: () => import("./pages/trunks/TrunkPage") },
  { path: "/trunks/:name/settings", place: "administration", right: "trunks.change", title: { fr: "Réglages d’un opérateur", en: "Settings of an operator" }, menu: false, load: () => import("./pages/trunks/TrunkForm") },
  { path: "/backup", place: "administration", right: "backup.make", title: { fr: "Sauvegarde", en: "Backup" }, load: () => import("./pages/backup/Backup") },
  { path: "/tokens", place: "administration", right: "own", title: { fr: "Jetons d’accès", en: "Access tokens" }, load: () => import("./pages/tokens/Tokens") },
  { path: "/webhooks", place: "administration", right: "webhooks.change", title: { fr: "Avis aux programmes", en: "Webhooks" }, load: () => import("./pages/webhooks/Webhooks") },
  { path: "/phones", place: "administration", right: "devices.read", title: { fr: "Téléphones fixes", en: "Desk telephones" }, load: () => import("./pages/phones/Phones") },
  { path: "/phones/:phone", place: "administration", right: "devices.read", title: { fr: "Téléphone fixe", en: "Desk telephone" }, menu: false, load: () => import("./pages/phones/PhonePage") },
  { path: "/audit", place: "administration", right: "audit.read", title: { fr: "Journal d’audit", en: "Audit journal" }, load: () => import("./pages/audit/Audit") },
  { path: "/account", place: "telephone", right: "own", menu: false, title: { fr: "Mon compte", en: "My account" }, load: () => import("./pages/account/Account") },
  { path: "/accounts", place: "administration", right: "accounts.read", title: { fr: "Comptes", en: "Accounts" }, load: () => import("./pages/accounts/Accounts") },
  { path: "/accounts/:account", place: "administration", right: "accounts.read", menu: false, title: { fr: "Compte", en: "Account" }, load: () => import("./pages/accounts/OneAccount") },
  { path: "/call", place: "telephone", right: "own", menu: false, title: { fr: "Appeler un numéro", en: "Call a number" }, load: () => import("./pages/call/Call") },
  { path: "/new-password", place: "telephone", right: "anybody", menu: false, title: { fr: "Votre mot de passe", en: "Your password" }, load: () => import("./pages/signin/NewPassword") },
  { path: "/welcome", place: "telephone", right: "anybody", menu: false, title: { fr: "Ville d’exemple", en: "Sample town" }, load: () => import("./pages/signin/Welcome") },
  { path: "/voicemail", place: "messages", right: "own", title: { fr: "Messagerie vocale", en: "Voicemail" }, load: () => import("./pages/voicemail/Voicemail") },
  { path: "/recordings", place: "administration", right: "recordings.listen", title: { fr: "Enregistrements", en: "Recordings" }, load: () => import("./pages/recordings/Recordings") },
  { path: "/recordings/:recording", place: "administration", right: "recordings.listen", menu: false, title: { fr: "Enregistrement", en: "Recording" }, load: () => import("./pages/recordings/Recording") },
  { path: "/recording-journal", place: "administration", right: "recordings.keep", title: { fr: "Compte rendu des enregistrements", en: "Account of recordings" }, load: () => import("./pages/recordings/Report") },
  { path: "/recording-journal/:recording", place: "administration", right: "recordings.keep", menu: false, title: { fr: "Journal d’un enregistrement", en: "A recording’s journal" }, load: () => import("./pages/recordings/Custody") },
];

/** The page of signing in, shown over whatever page was open: it calls `readSession()` when a step is done. */
export const loadSignIn = () => import("./pages/signin/SignIn");
