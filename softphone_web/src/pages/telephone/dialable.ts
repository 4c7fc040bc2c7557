/** What somebody typed or pasted, as it is dialled: without what only the eye needs. The plan does the rest. */

/** « 03 83 00 01 00 » is 0383000100, `tel:+33-3…` is +333…; "" for what is no number. */
export function dialable(typed: string): string {
  const bare = typed.trim().replace(/^(tel|sips?):/i, "");
  const number = bare.replace(/\(0\)/g, "").replace(/[\s\u00a0\u202f().\-–/]/g, "");
  return /^\+?[0-9*#]{1,40}$/.test(number) ? number : "";
}
