/** What becomes of telephones, as the server tells it: the inventory, waves, firmware. */
export interface Item {
  readonly name: string;
  readonly brand: string;
  readonly model: string;
  readonly version: string;
  readonly wanted_version: string;
  readonly stage: "waiting" | "approved" | "enrolled" | "blocked";
  readonly site: string;
  readonly registered: boolean;
  readonly in_call: boolean;
  readonly settings: "up_to_date" | "to_come" | "never";
}

export interface Inventory {
  readonly items: readonly Item[];
  readonly counts: {
    readonly phones: number;
    readonly registered: number;
    readonly in_call: number;
    readonly to_come: number;
    readonly old_firmware: number;
  };
  readonly versions: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly reachable: boolean;
}

export type Action = "resync" | "restart" | "firmware";
export const ACTIONS: readonly Action[] = ["resync", "restart", "firmware"];

export type Hours = readonly [number, number];

export interface Wave {
  readonly id: number;
  readonly action: Action;
  readonly cause: string;
  readonly account: string;
  readonly begun_at: number;
  readonly over_at: number;
  readonly size: number;
  readonly hours: Hours | null;
  readonly stopped: string;
  readonly progress: {
    readonly waiting: number;
    readonly asked: number;
    readonly back: number;
    readonly lost: number;
    readonly away: number;
  };
}

export interface Image {
  readonly sha256: string;
  readonly brand: string;
  readonly models: readonly string[];
  readonly version: string;
  readonly name: string;
  readonly size_bytes: number;
  readonly uploaded: boolean;
  readonly stage: { readonly sites: readonly string[]; readonly hours: Hours | null } | null;
  readonly running: number;
  readonly to_come: number;
  readonly stopped: string;
}

export interface Firmware {
  readonly items: readonly Image[];
  readonly problem: string;
}

/** How many telephones a wave is about. */
export function members(wave: Wave): number {
  const { waiting, asked, back, lost, away } = wave.progress;
  return waiting + asked + back + lost + away;
}

export function isGoing(wave: Wave): boolean {
  return wave.over_at === 0 && wave.stopped === "";
}
