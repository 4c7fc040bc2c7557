/** Pages of other programs that open for calls: where they lead, filled with what is known of a call. */
import type { PhoneCall } from "../telephone/shapes";

export interface ScreenPop {
  readonly url: string;
  readonly when: "ringing" | "answered";
  readonly services: readonly string[];
}

/** A page to be opened. key: of a call and a page, each opened once. */
export interface Opening {
  readonly key: string;
  readonly url: string;
  readonly who: string;
}

/** The pages that these calls open now; extension: of whoever is called. */
export function openingsOf(pops: readonly ScreenPop[], calls: readonly PhoneCall[], extension: string): readonly Opening[] {
  return calls
    .filter((call) => call.direction === "in")
    .flatMap((call) =>
      pops.flatMap((pop, index) => {
        if (!isDue(pop, call)) return [];
        const { number, name, nodeCall, through } = call;
        const url = filled(pop.url, { number, name, call: nodeCall, service: through, extension });
        return [{ key: `${call.id} ${index}`, url, who: name || number }];
      }),
    );
}

function isDue(pop: ScreenPop, call: PhoneCall): boolean {
  if (pop.services.length > 0 && !pop.services.includes(call.through)) return false;
  if (pop.url.includes("{call}") && call.nodeCall === "") return false; // it is known in a moment
  const isAnswered = call.answeredAt !== undefined && call.state !== "ended";
  return isAnswered || (pop.when === "ringing" && call.state === "ringing");
}

/** An address with its places filled. What a caller says of itself is data, whatever it looks like. */
export function filled(template: string, values: Readonly<Record<string, string>>): string {
  return template.replace(/\{([a-z]+)\}/g, (_, place: string) => encodeURIComponent(values[place] ?? ""));
}
