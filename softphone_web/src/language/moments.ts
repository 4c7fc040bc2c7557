/** Dates, lengths and numbers, as each language writes them. Times are Unix seconds. */
import { type Language, language } from "./texts";

const formats = new Map<string, Intl.DateTimeFormat>();

function format(spoken: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = spoken + JSON.stringify(options);
  const known = formats.get(key);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat(spoken === "en" ? "en-GB" : "fr-FR", options);
  formats.set(key, made);
  return made;
}

function isSameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString();
}

/** A moment as short as it can be: the hour today, else the day and the hour, with the year where it isn't ours. */
export function moment(at: number, now: number = Date.now() / 1000): string {
  const when = new Date(at * 1000);
  const today = new Date(now * 1000);
  const hour = { hour: "2-digit", minute: "2-digit" } as const;
  if (isSameDay(when, today)) return format(language(), hour).format(when);
  const year = when.getFullYear() === today.getFullYear() ? {} : ({ year: "numeric" } as const);
  return format(language(), { day: "numeric", month: "short", ...year, ...hour }).format(when);
}

/** A moment in full, to the second. */
export function momentInFull(at: number): string {
  return format(language(), { dateStyle: "full", timeStyle: "medium" }).format(new Date(at * 1000));
}

/** A day: « 3 mars 2026 ». */
export function day(at: number): string {
  return format(language(), { dateStyle: "long" }).format(new Date(at * 1000));
}

/** A length: 0:07, 12:34, 1:02:03. */
export function length(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number) => String(value).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A number with the digits grouped as the language does. */
export function amount(value: number): string {
  return new Intl.NumberFormat(language()).format(value);
}

/** A size in bytes: « 12,3 Mo ». */
export function size(bytes: number): string {
  const units = language() === "fr" ? ["o", "ko", "Mo", "Go", "To"] : ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  const digits = { maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0 };
  return `${new Intl.NumberFormat(language(), digits).format(value)} ${units[unit] ?? ""}`;
}

/** A telephone number as it is read aloud: +33383000100 is 03 83 00 01 00, an extension stays as it is. */
export function spokenNumber(number: string): string {
  const national = /^\+33([1-9])(\d{2})(\d{2})(\d{2})(\d{2})$/.exec(number);
  if (national !== null) return `0${national.slice(1).join("\u00a0")}`;
  const dialled = /^0([1-9])(\d{2})(\d{2})(\d{2})(\d{2})$/.exec(number);
  if (dialled !== null) return `0${dialled.slice(1).join("\u00a0")}`;
  return number;
}

/** The hour, to the tenth of a second: for things that follow each other closely. */
export function second(at: number): string {
  const options = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 1 } as const;
  return format(language(), options).format(new Date(at * 1000));
}
