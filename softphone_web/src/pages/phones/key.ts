/** Keys of desk telephones, as the server tells them. */
export type KeyKind = "lamp" | "speed_dial" | "park" | "page" | "service";
export const KEY_KINDS: readonly KeyKind[] = ["lamp", "speed_dial", "park", "page", "service"];

export interface Key {
  readonly kind: KeyKind;
  readonly number: string;
  readonly label: string;
  readonly name: string;
}

export interface Numbered {
  readonly kind: "park" | "page" | "service";
  readonly number: string;
  readonly name: string;
}

export interface PersonKeys {
  readonly extension: string;
  readonly chosen: boolean;
  readonly items: readonly Key[];
  readonly planned: readonly Key[];
  readonly phones: readonly { readonly phone: string; readonly model: string; readonly keys: number; readonly own: boolean }[];
  readonly numbers: readonly Numbered[];
  readonly may_change: boolean;
  readonly most: number;
}

/** Whom or what a key reaches, in words. */
export function reached(key: Key): string {
  return key.name === "" ? key.number : key.name;
}

/** What is on the telephone's screen beside it. */
export function shown(key: Key): string {
  return key.label === "" ? reached(key) : key.label;
}
