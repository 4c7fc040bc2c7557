/** Words without what a person who searches leaves out: accents, ligatures, capitals, typographic apostrophes. */

const MARKS = /\p{M}/gu;

export function fold(text: string): string {
  return text
    .normalize("NFD")
    .replace(MARKS, "")
    .toLowerCase()
    .replaceAll("œ", "oe")
    .replaceAll("æ", "ae")
    .replaceAll("ß", "ss")
    .replaceAll("’", "'");
}

/** Whether each word of the query is in the text; both are folded already. */
export function matches(folded: string, query: readonly string[]): boolean {
  return query.every((word) => folded.includes(word));
}

/** A query as its folded words. */
export function wordsOf(query: string): string[] {
  return fold(query).split(/\s+/).filter(Boolean);
}
