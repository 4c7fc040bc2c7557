/** A line's settings between the form, where all is text, and the plan, where a list is a list and a number a number. */
import type { Answers } from "../../components/Form";
import type { Settings } from "./shapes";

const NUMBERS = [
  "port",
  "register_seconds",
  "channels",
  "emergency_channels",
  "supervise_seconds",
  "supervise_misses",
] as const;
const LISTS = ["proxy", "sources", "certificates", "owns", "presents", "options"] as const;
const TEXTS = [
  "host",
  "transport",
  "username",
  "account",
  "numbers_in",
  "numbers_out",
  "caller_id_in",
  "caller_id_out",
  "srtp",
  "record",
] as const;

/** A setting as a field shows it: a list line by line, a secret by the variable that holds it. */
export function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(String).join("\n");
  if (typeof value === "object") return textOf(Object.values(value)[0]);
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What a form says, in the order of the plan: what was there first, then what is new. */
export function settingsOf(answers: Answers, former: Settings): Settings {
  const said = new Map<string, unknown>(Object.entries(former));
  const say = (key: string, value: unknown) => {
    if (value === undefined) said.delete(key);
    else if (textOf(value) !== textOf(former[key])) said.set(key, value);
  };
  for (const key of TEXTS) say(key, (answers[key] ?? "").trim() || undefined);
  for (const key of NUMBERS) {
    const text = (answers[key] ?? "").trim();
    // What is no whole number goes as it is: the plan's checker says what is wrong with it.
    say(key, text === "" ? undefined : /^\d{1,9}$/.test(text) ? Number(text) : text);
  }
  for (const key of LISTS) {
    const items = (answers[key] ?? "").split(/[\s,;]+/).filter(Boolean);
    say(key, items.length === 0 ? undefined : items);
  }
  const variable = (answers["secret"] ?? "").trim();
  say("secret", variable === "" ? undefined : { env: variable });
  const registers = answers["register"] !== undefined;
  if (registers !== (textOf(former["register"]) === "true")) say("register", registers || undefined);
  return Object.fromEntries(said);
}
