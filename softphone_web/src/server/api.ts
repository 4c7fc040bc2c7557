/**
 * The node's HTTP interface: one function a method, JSON in and out, and one kind of failure.
 *
 *     const people = await api.get<List<Person>>("/people", { query: { like: "mar" } });
 *
 * A path begins after /api/v1. Whatever goes wrong is thrown as a ServerProblem.
 */
export interface List<Item> {
  readonly items: readonly Item[];
  readonly next: string;
}

export interface ProblemPart {
  readonly where: string;
  readonly detail: string;
}

/** What the server says is wrong (RFC 9457), or that it doesn't answer (`unreachable`). */
export class ServerProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly mend = "",
    readonly where = "",
    readonly request = "",
    /** Several, each about a field or one of its values. */
    readonly errors: readonly ProblemPart[] = [],
  ) {
    super(`${status} ${code} ${detail}`);
  }
}

type Value = string | number | boolean | undefined;
export interface Options {
  readonly query?: Readonly<Record<string, Value>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

// What a page reads by itself while nobody is at it doesn't keep the session open.
const UNATTENDED_MS = 60_000;
let touched = Date.now();
for (const sign of ["pointerdown", "pointermove", "keydown", "scroll"]) {
  addEventListener(sign, () => (touched = Date.now()), { passive: true, capture: true });
}

let csrf = "";
let signedOut: () => void = () => undefined;

/** What the session says: the token that every change carries, and whom to tell when it has ended. */
export function carry(token: string, whenSignedOut: () => void): void {
  csrf = token;
  signedOut = whenSignedOut;
}

export function address(path: string, query: Readonly<Record<string, Value>> = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, String(value)]],
  );
  const asked = new URLSearchParams(given).toString();
  return `/api/v1${path}${asked === "" ? "" : `?${asked}`}`;
}

async function ask(method: string, path: string, body: unknown, options: Options): Promise<Response> {
  const headers = new Headers(options.headers);
  const isRaw = body instanceof Blob;
  if (body !== undefined && !isRaw) headers.set("Content-Type", "application/json");
  if (method !== "GET") headers.set("X-CSRF-Token", csrf);
  if (Date.now() - touched > UNATTENDED_MS) headers.set("X-Unattended", "1");
  let answer: Response;
  try {
    answer = await fetch(address(path, options.query), {
      method,
      headers,
      body: body === undefined ? null : isRaw ? body : JSON.stringify(body),
      signal: options.signal ?? null,
      credentials: "same-origin",
      redirect: "error",
    });
  } catch (failure) {
    if (failure instanceof DOMException && failure.name === "AbortError") throw failure;
    throw new ServerProblem(0, "unreachable", "");
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (problem.code === "not_signed_in") signedOut();
  throw problem;
}

async function problemOf(answer: Response): Promise<ServerProblem> {
  const away = [502, 503, 504].includes(answer.status);
  let told: Record<string, unknown> = {};
  try {
    told = (await answer.json()) as Record<string, unknown>;
  } catch {
    // Not from our server: something between us answered.
  }
  const word = (name: string, otherwise = "") => {
    const value = told[name];
    return typeof value === "string" ? value : otherwise;
  };
  const code = word("code", away ? "unreachable" : "internal");
  const request = answer.headers.get("X-Request-Id") ?? "";
  return new ServerProblem(answer.status, code, word("detail"), word("mend"), word("where"), request, partsOf(told["errors"]));
}

function partsOf(errors: unknown): ProblemPart[] {
  const each: unknown[] = Array.isArray(errors) ? errors : [];
  return each.filter(
    (one): one is ProblemPart =>
      typeof one === "object" && one !== null && "where" in one && typeof one.where === "string" && "detail" in one && typeof one.detail === "string",
  );
}

async function json<T>(answer: Response): Promise<T> {
  const text = await answer.text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** A type parameter says what the caller knows of the answer. */
export const api = {
  async get<T>(path: string, options: Options = {}): Promise<T> {
    return json<T>(await ask("GET", path, undefined, options));
  },
  async post<T = unknown>(path: string, body?: unknown, options: Options = {}): Promise<T> {
    return json<T>(await ask("POST", path, body, options));
  },
  async put<T = unknown>(path: string, body?: unknown, options: Options = {}): Promise<T> {
    return json<T>(await ask("PUT", path, body, options));
  },
  async patch<T = unknown>(path: string, body?: unknown, options: Options = {}): Promise<T> {
    return json<T>(await ask("PATCH", path, body, options));
  },
  async delete<T = unknown>(path: string, options: Options = {}): Promise<T> {
    return json<T>(await ask("DELETE", path, undefined, options));
  },
  /** The answer as bytes: sound, pictures, exports. */
  async blob(path: string, options: Options = {}): Promise<Blob> {
    return (await ask("GET", path, undefined, options)).blob();
  },
};
