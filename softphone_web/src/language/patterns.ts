/**
 * What the program says, in French: sentence by sentence.
 *
 * The program writes English, with names and numbers in it. A pattern names these: `{name}` is taken as it is,
 * `{what*}` is a part that is itself put into French. What no pattern knows stays as it was written.
 *
 *     const inFrench = translator({ sentences: [["{name} is missing", "{name} manque"]] });
 *     inFrench("plan.yaml is missing")     "plan.yaml manque", with plain spaces; undefined for what isn't known
 */

/** English, and its French. */
export type Pattern = readonly [string, string];

export interface Known {
  /** What has other sentences inside; the first that fits counts. */
  readonly frames?: readonly Pattern[];
  /** Whole sentences; of those that fit, the most particular counts. */
  readonly sentences: readonly Pattern[];
  /** What stands inside of sentences alone. */
  readonly parts?: readonly Pattern[];
  /** What fits much; it counts where nothing else fits. */
  readonly others?: readonly Pattern[];
  /** A part that is the same in both languages. */
  readonly same?: RegExp;
}

export type InFrench = (text: string) => string | undefined;

interface Compiled {
  readonly english: RegExp;
  readonly names: readonly string[];
  readonly french: string;
}

const NAME = /\{(\w+)(\*?)\}/g;
const DEEPEST = 4;

/** Return what puts sentences of these patterns into French. */
export function translator({ frames = [], sentences, parts = [], others = [], same }: Known): InFrench {
  // The longer what is written out, the more particular.
  const ordered = sentences.toSorted((a, b) => own(b) - own(a));
  const whole = [...frames, ...ordered, ...others].map(compile);
  const inside = [...frames, ...parts, ...ordered, ...others].map(compile);

  const translated = (text: string, depth: number): string | undefined => {
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
    return same?.test(text) === true ? text : undefined;
  };

  return (text) => {
    // What is wrong, and the mend behind it.
    const cut = text.indexOf("; ");
    const [wrong, mend] = cut < 0 ? [] : [translated(text.slice(0, cut), 0), translated(text.slice(cut + 2), 0)];
    return wrong !== undefined && mend !== undefined ? `${wrong} ; ${mend}` : translated(text, 0);
  };
}

function own([english]: Pattern): number {
  return english.replaceAll(NAME, "").length;
}

function compile([english, french]: Pattern): Compiled {
  return {
    english: new RegExp(`^${quoted(english).replace(/\\\{\w+\\?\*?\\\}/g, "(.+?)")}$`, "s"),
    names: [...english.matchAll(NAME)].map((match) => match[1] ?? ""),
    french,
  };
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
