/** What the program says of a plan, in French: findings, explanations and changes. */
import { translator } from "../../language/patterns";
import { PROOFS } from "../recordings/proofs";
import { FAULTS } from "./faults";
import { FRAMES, OTHERS, PARTS, SENTENCES } from "./sentences";

/** The sentence in French, with plain spaces; undefined for one that isn't known. */
export const inFrench = translator({
  frames: FRAMES,
  sentences: [...SENTENCES, ...FAULTS, ...PROOFS],
  parts: PARTS,
  others: OTHERS,
  // Operators, with what they cost; an emergency number with its name in the plan.
  same: /^[^\s,]+( \([\d.]+ cents\))?(, [^\s,]+( \([\d.]+ cents\))?)*$|^\d{2,6}, /,
});
