/** What the server says of a device. */
export interface Device {
  readonly sign_in: string;
  readonly extension: string;
  readonly name: string;
  readonly user: string;
  readonly source: "database" | "plan" | "page";
  readonly kind: "desk" | "app" | "browser" | "mobile";
  readonly label: string;
  readonly site: string;
  readonly md5_only: boolean;
  readonly has_password: boolean;
  readonly bindings: readonly Binding[];
  readonly network: string;
  readonly address_wanted: boolean;
  readonly addresses: readonly Said[];
}

export interface Binding {
  readonly address: string;
  readonly transport: string;
  readonly user_agent: string;
  readonly until_at: number;
  readonly answers: boolean;
}

export interface Said {
  readonly network: string;
  readonly address: Readonly<Record<string, string>>;
  readonly confirmed: boolean;
  readonly by: string;
  readonly said_at: number;
}

export const EVENTS = ["DeviceReachable", "DeviceUnreachable", "AddressWanted", "AddressChanged", "HotDeskChanged"];

/** The parts of an address, in the order in which they are asked. */
export const PARTS = ["street", "postcode", "city", "building", "floor", "room", "landmark"] as const;

/** An address in one line, as an envelope has it. */
export function inOneLine(address: Readonly<Record<string, string>>): string {
  const place = [address["postcode"], address["city"]].filter(Boolean).join(" ");
  const parts = [address["street"], address["building"], address["floor"], address["room"], place];
  return [...parts, address["landmark"]].filter(Boolean).join(", ");
}
