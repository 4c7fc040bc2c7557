/** Why a backup can't be made or isn't whole, as the program says it, with its French. */
import { type Pattern, translator } from "../../language/patterns";
import { SYSTEM_ERRORS } from "../../language/system_errors";

const TROUBLES: readonly Pattern[] = [
  ["{folder}: can't be read: {why*}", "{folder} est illisible : {why*}"],
  ["there is no backup {name}", "il n’y a pas de sauvegarde {name}"],
  ["{file} is there already", "{file} existe déjà"],
  ["{name} is not in its manifest, or twice in it", "{name} n’est pas dans son inventaire, ou s’y trouve deux fois"],
  ["{name} is missing", "{name} manque"],
  [
    "this is no backup of Beffroi: it doesn't begin with a manifest",
    "ce n’est pas une sauvegarde de Beffroi : elle ne commence pas par un inventaire",
  ],
  ["the manifest is too long", "l’inventaire est trop long"],
  ["the manifest can't be read: {why}", "l’inventaire est illisible : {why}"],
  ["format {found} isn't {known}, which this version restores", "le format est {found} ; cette version restaure le format {known}"],
  ["the manifest lists a file twice, or too many", "l’inventaire cite un fichier deux fois, ou trop de fichiers"],
  ["the manifest names {name}, which is no part of a backup", "l’inventaire cite {name}, qui n’a rien à faire dans une sauvegarde"],
  [
    "the manifest lists no configuration, or no plan, or a size that can't be",
    "l’inventaire ne cite pas de configuration, ou pas de plan, ou donne une taille impossible",
  ],
  ["{name} is not the plain file that the manifest says", "{name} n’est pas le simple fichier que dit l’inventaire"],
  [
    "{name} is damaged: its SHA-256 isn't the manifest's",
    "{name} est abîmé : son empreinte SHA-256 n’est pas celle de l’inventaire",
  ],
  ["the journal changes faster than it can be copied", "le journal change plus vite qu’il ne peut être copié"],
  ["a header is too long", "un en-tête est trop long"],
];

const PARTS: readonly Pattern[] = [
  ...SYSTEM_ERRORS,
  // SQLite
  ["database is locked", "la base de données est occupée"],
  ["unable to open database file", "la base de données ne s’ouvre pas"],
  ["disk I/O error", "le disque refuse"],
  ["database or disk is full", "le disque est plein"],
  ["database disk image is malformed", "la base de données est abîmée"],
  ["file is not a database", "le fichier n’est pas une base de données"],
  // gzip and tar
  ["Not a gzipped file ({begin})", "le fichier n’est pas compressé par gzip"],
  ["Compressed file ended before the end-of-stream marker was reached", "l’archive est coupée"],
  ["CRC check failed {sums}", "l’archive est abîmée"],
  ["Error {number} while decompressing data: {what}", "l’archive est abîmée"],
  ["unexpected end of data", "l’archive est coupée"],
  ["truncated header", "l’archive est coupée"],
  ["invalid header", "l’archive est abîmée"],
  ["bad checksum", "l’archive est abîmée"],
];

/** What went wrong, in French; undefined for what isn't known. */
export const inFrench = translator({ sentences: TROUBLES, parts: PARTS, others: [["{where}: {what*}", "{where} : {what*}"]] });
