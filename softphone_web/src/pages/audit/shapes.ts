/** The audit journal as the server tells it, and its words. */
import { nouns, verbs } from "../../language/audit";
import { type Language, joined } from "../../language/texts";

export interface Entry {
  readonly number: number;
  readonly entered_at: number;
  readonly what: string;
  readonly by: string;
  readonly how: string;
  readonly address: string;
  readonly whom: string;
  readonly about: Readonly<Record<string, unknown>>;
  readonly sound: boolean;
  readonly digest: string;
}

export interface Verification {
  readonly entries: number;
  readonly head: string;
  readonly faults: readonly {
    readonly file: string;
    readonly line: number;
    readonly offset: number;
    readonly what: string;
  }[];
}

/** `people.add` in words; what is unknown as it is written. */
export function said(what: string, language: Language): string {
  const [noun = "", verb = ""] = what.split(".");
  const subject = (nouns[language] as Readonly<Record<string, string>>)[noun] ?? noun;
  const done = (verbs[language] as Readonly<Record<string, string>>)[verb] ?? verb.replaceAll("_", " ");
  return joined(language === "fr" ? `${subject} : ${done}` : `${subject}: ${done}`);
}

/** What else is said, but for whom: one line. */
export function details(about: Entry["about"]): string {
  return Object.entries(about)
    .filter(([name]) => name !== "whom")
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${shown(value)}`)
    .join(", ");
}

export function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (typeof value === "string") return value;
  return JSON.stringify(value);
}
