/** What the operating system, TLS and compressed files refuse with, inside of the program's sentences. */
import type { Pattern } from "./patterns";

export const SYSTEM_ERRORS: readonly Pattern[] = [
  ["[Errno {number}] {why*}: '{file}'", "{why*} ({file})"],
  ["[Errno {number}] {why*}", "{why*}"],
  // errno(3)
  ["Operation not permitted", "opération interdite"],
  ["No such file or directory", "fichier ou dossier introuvable"],
  ["Input/output error", "erreur d’entrée-sortie"],
  ["Permission denied", "accès refusé"],
  ["Address already in use", "adresse déjà utilisée"],
  ["Cannot assign requested address", "adresse absente de cette machine"],
  ["No such device", "interface introuvable"],
  ["Is a directory", "c’est un dossier"],
  ["Not a directory", "ce n’est pas un dossier"],
  ["Too many open files", "trop de fichiers ouverts"],
  ["No space left on device", "plus de place sur le disque"],
  ["Disk quota exceeded", "quota du disque dépassé"],
  ["Read-only file system", "disque en lecture seule"],
  ["Broken pipe", "connexion interrompue"],
  ["Network is unreachable", "réseau injoignable"],
  ["No route to host", "machine injoignable"],
  ["Connection refused", "connexion refusée"],
  ["Connection reset by peer", "connexion interrompue par l’autre côté"],
  ["Connection timed out", "pas de réponse à temps"],
  ["timed out", "pas de réponse à temps"],
  ["no answer", "pas de réponse"],
  // getaddrinfo(3)
  ["Name or service not known", "nom inconnu"],
  ["No address associated with hostname", "nom sans adresse"],
  ["Temporary failure in name resolution", "le DNS ne répond pas"],
  // X509_verify_cert_error_string(3)
  ["self-signed certificate", "certificat signé par lui-même"],
  ["self-signed certificate in certificate chain", "autorité de certification inconnue"],
  ["unable to get local issuer certificate", "autorité de certification inconnue"],
  ["unable to verify the first certificate", "autorité de certification inconnue"],
  ["certificate has expired", "certificat périmé"],
  ["certificate is not yet valid", "certificat pas encore valable"],
  ["Hostname mismatch, certificate is not valid for '{name}'", "il n’est pas au nom de {name}"],
  ["IP address mismatch, certificate is not valid for '{name}'", "il n’est pas au nom de {name}"],
  ["[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: {why*} ({place})", "certificat refusé : {why*}"],
  ["[SSL: {code}] {what} ({place})", "erreur de TLS ({code})"],
];
