/**
 * What the program says of a plan, in French: findings, explanations and changes, sentence by sentence.
 *
 * The program writes English, with names and numbers of the plan in it. A pattern names these: `{name}` is taken as
 * it is, `{what*}` is a part that is itself put into French. What no pattern knows stays as it was written.
 */
import { PROOFS } from "../recordings/proofs";
import { FAULTS } from "./faults";
import { FRAMES, OTHERS, PARTS, SENTENCES } from "./sentences";

interface Compiled {
  readonly english: RegExp;
  readonly names: readonly string[];
  readonly french: string;
}

const NAME = /\{(\w+)(\*?)\}/g;
// The longer what is written out, the more particular.
const own = (pattern: readonly [string, string]) => pattern[0].replaceAll(NAME, "").length;
const sentences = [...SENTENCES, ...FAULTS, ...PROOFS].toSorted((a, b) => own(b) - own(a));
const whole = [...FRAMES, ...sentences, ...OTHERS].map(compile);
const inside = [...FRAMES, ...PARTS, ...sentences, ...OTHERS].map(compile);
const DEEPEST = 4;
// Operators, with what they cost; an emergency number with its name in the plan.
const NAMES_ALONE = /^[^\s,]+( \([\d.]+ cents\))?(, [^\s,]+( \([\d.]+ cents\))?)*$|^\d{2,6}, /;

function compile([english, french]: readonly [string, string]): Compiled {
  return {
    english: new RegExp(`^${quoted(english).replace(/\\\{\w+\\?\*?\\\}/g, "(.+?)")}$`),
    names: [...english.matchAll(NAME)].map((match) => match[1] ?? ""),
    french,
  };
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

/** The sentence in French, with plain spaces; undefined for one that isn't known. */
export function inFrench(text: string): string | undefined {
  // What is wrong, and the mend behind it.
  const cut = text.indexOf("; ");
  const [wrong, mend] = cut < 0 ? [] : [translated(text.slice(0, cut), 0), translated(text.slice(cut + 2), 0)];
  return wrong !== undefined && mend !== undefined ? `${wrong} ; ${mend}` : translated(text, 0);
}

function translated(text: string, depth: number): string | undefined {
  if (!/[a-z]/i.test(text)) return text; // a number
  for (const { english, names, french } of depth === 0 ? whole : inside) {
    const match = english.exec(text);
    if (match === null) continue;
    const values = new Map(names.map((name, index) => [name, match[index + 1] ?? ""]));
    return french.replace(NAME, (_, name: string, star: string) => {
      const value = values.get(name) ?? "";
      return star === "" || depth >= DEEPEST ? value : (translated(value, depth + 1) ?? value);
    });
  }
  return NAMES_ALONE.test(text) ? text : undefined;
}
