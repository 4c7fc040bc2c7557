/** What a visitor's panel asks of the node: how the button is, a password for one call, a number left. */
import type { IceServer } from "../telephone/line";

export interface Doorway {
  readonly name: string;
  readonly title: Readonly<Partial<Record<string, string>>>;
  readonly is_open: boolean;
  readonly answers: boolean;
  readonly calls_back: boolean;
}

export interface Turn {
  readonly state: "call" | "wait" | "closed";
  readonly before: number;
  readonly calls_back: boolean;
  readonly domain: string;
  readonly service: string;
  readonly username: string;
  readonly password: string;
  readonly expires_at: number;
  readonly ice_servers: readonly IceServer[];
  readonly ice_policy: "all" | "relay";
}

/** Why it can't go on: each has its words. */
export type NoVisit = "too_many" | "no_pass" | "number_refused" | "away";

export class VisitProblem extends Error {
  constructor(readonly why: NoVisit) {
    super(why);
  }
}

const BY_STATUS: Readonly<Record<number, NoVisit>> = { 403: "no_pass", 422: "number_refused", 429: "too_many" };

/** The button's name is the end of the address, the pass is behind the #. */
export const button = location.pathname.split("/").pop() ?? "";
export const pass = location.hash.slice(1);

async function ask(path: string, body?: unknown): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(`/api/v1/click/${encodeURIComponent(button)}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? null : JSON.stringify(body),
      credentials: "omit",
    });
  } catch {
    throw new VisitProblem("away");
  }
  if (!answer.ok) throw new VisitProblem(BY_STATUS[answer.status] ?? "away");
  return answer;
}

/** How the button is now. Raises VisitProblem, as the others do. */
export async function lookAt(): Promise<Doorway> {
  return (await ask("")).json() as Promise<Doorway>;
}

/** Ask to call, or how many are before us now. */
export async function askTurn(): Promise<Turn> {
  return (await ask("/calls", { visit: pass })).json() as Promise<Turn>;
}

/** Leave a number to be called back. */
export async function leaveNumber(number: string): Promise<void> {
  await ask("/numbers", { visit: pass, number });
}
