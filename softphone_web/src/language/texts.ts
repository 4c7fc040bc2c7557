/**
 * Languages: which one is spoken, and catalogues of what is said in both.
 *
 * A catalogue is `texts({fr: {…}, en: {…}})`: the compiler refuses a key that one language lacks. `useTexts`
 * gives the words of the language spoken, and draws again when it changes.
 */
import { useSyncExternalStore } from "react";

export type Language = "fr" | "en";
export const LANGUAGES: readonly Language[] = ["fr", "en"];

type Wording = string | ((...values: never[]) => string);
export type Words<T> = { readonly [K in keyof T]: T[K] extends string ? string : T[K] };
export interface Texts<T> {
  readonly fr: Words<T>;
  readonly en: Words<T>;
}

/** A catalogue. French gets its no-break spaces here, so that nobody has to write them. */
export function texts<T extends Record<string, Wording>>(both: { fr: T; en: Words<NoInfer<T>> }): Texts<T> {
  const fr = Object.fromEntries(Object.entries(both.fr).map(([key, wording]) => [key, spaced(wording)]));
  return { fr, en: both.en } as unknown as Texts<T>;
}

function spaced(wording: Wording): Wording {
  if (typeof wording === "string") return joined(wording);
  return (...values) => joined(wording(...values));
}

/** A text with no-break spaces where French typography wants them: « oui » ; non : peut-être ? */
export function joined(text: string): string {
  return text.replace(/ (?=[:;!?»%])/g, "\u00a0").replaceAll("« ", "«\u00a0");
}

const KEPT = "beffroi.language";
const listeners = new Set<() => void>();
let spoken: Language = kept() ?? (navigator.language.toLowerCase().startsWith("en") ? "en" : "fr");
document.documentElement.lang = spoken;

function kept(): Language | undefined {
  const value = localStorage.getItem(KEPT);
  return value === "fr" || value === "en" ? value : undefined;
}

/** The language spoken now, for code that isn't drawn. */
export function language(): Language {
  return spoken;
}

/** Whether somebody chose a language on this device: then it is not the account's that counts. */
export function isChosen(): boolean {
  return kept() !== undefined;
}

/** Speak this language from now on; isKept: on this device, whoever signs in. */
export function speak(chosen: Language, { isKept = true } = {}): void {
  if (isKept) localStorage.setItem(KEPT, chosen);
  spoken = chosen;
  document.documentElement.lang = chosen;
  for (const listener of listeners) listener();
}

/** Leave the choice to whoever signs in next on this device. What is on the screen stays as it is. */
export function leaveLanguage(): void {
  localStorage.removeItem(KEPT);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, language);
}

export function useTexts<T>(catalogue: Texts<T>): Words<T> {
  return catalogue[useLanguage()];
}

/** `plural(3, "appel", "appels")` in the language spoken: French says « 0 appel », English "0 calls". */
export function plural(count: number, one: string, other: string): string {
  const form = new Intl.PluralRules(spoken).select(count) === "one" ? one : other;
  return `${new Intl.NumberFormat(spoken).format(count)} ${form}`;
}
