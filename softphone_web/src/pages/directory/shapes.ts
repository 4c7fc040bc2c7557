/** What the server says of the directory. */
export interface Absence {
  readonly text: string;
  readonly until_at: number;
  readonly by: string;
}

export type Kind = "person" | "service" | "group";

export interface Entry {
  readonly id: string;
  readonly kind: Kind;
  readonly name: string;
  readonly number: string;
  readonly public_number: string;
  readonly site: string;
  readonly site_title: string;
  readonly groups: readonly string[];
  readonly mobile: string;
  readonly source: "database" | "plan";
  readonly type: string;
  readonly members: number;
  readonly photo_at: number;
  readonly absence: Absence | null;
}

export interface Person extends Entry {
  readonly class_name: string;
  readonly line: number;
  readonly devices: readonly { readonly sign_in: string; readonly kind: string; readonly label: string }[];
}

export interface Choices {
  readonly classes: readonly string[];
  readonly sites: readonly { readonly name: string; readonly title: string }[];
  readonly groups: readonly string[];
  readonly ranges: readonly { readonly site: string; readonly numbers: string }[];
}

export interface Credentials {
  readonly sign_in: string;
  readonly password: string;
  readonly domain: string;
  readonly server: string;
}
