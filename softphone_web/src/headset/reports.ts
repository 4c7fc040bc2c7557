/**
 * What the buttons and lights of a headset are in its HID reports, whoever made it.
 *
 * A report is a row of bits; the device itself describes which of them mean what, by usage: those of telephony
 * (page 0x0B: hook switch, mute) and of lights (page 0x08). HID usage tables 1.5, sections 11 and 14.
 */
export interface ReportItem {
  readonly usages?: readonly number[];
  readonly usageMinimum?: number;
  readonly usageMaximum?: number;
  readonly isRange?: boolean;
  readonly isArray?: boolean;
  readonly isAbsolute?: boolean;
  readonly isConstant?: boolean;
  readonly logicalMinimum?: number;
  readonly reportSize?: number;
  readonly reportCount?: number;
}
export interface Report {
  readonly reportId?: number;
  readonly items?: readonly ReportItem[];
}
export interface Collection {
  readonly usagePage?: number;
  readonly children?: readonly Collection[];
  readonly inputReports?: readonly Report[];
  readonly outputReports?: readonly Report[];
}

export const TELEPHONY_PAGE = 0x0b;
export const HOOK = 0x0b0020;
export const MUTE = 0x0b002f;
export const LIGHT_MUTE = 0x080009;
export const LIGHT_OFF_HOOK = 0x080017;
export const LIGHT_RING = 0x080018;

const MOST_BITS = 8 * 1024;

/** Where a usage is: in which report, at which bit. value: what an array's slot holds for it, undefined for a bit. */
export interface Place {
  readonly report: number;
  readonly bit: number;
  readonly bits: number;
  readonly value: number | undefined;
  /** Slots of an array, of which any may hold the value. */
  readonly slots: number;
  readonly isAbsolute: boolean;
}

/** The reports of a device's collections, those within others as well. */
export function reportsOf(collections: readonly Collection[], kind: "inputReports" | "outputReports"): readonly Report[] {
  return collections.flatMap((one) => [...(one[kind] ?? []), ...reportsOf(one.children ?? [], kind)]);
}

/** Where a usage is in these reports; undefined where the device hasn't got it. */
export function placeOf(reports: readonly Report[], usage: number): Place | undefined {
  for (const report of reports) {
    let bit = 0;
    for (const item of report.items ?? []) {
      const size = item.reportSize ?? 0;
      const count = item.reportCount ?? 0;
      if (bit + size * count > MOST_BITS) break;
      const at = item.isConstant === true ? -1 : indexOf(item, usage);
      const place = { report: report.reportId ?? 0, bits: size, isAbsolute: item.isAbsolute !== false };
      if (at >= 0 && item.isArray === true) {
        return { ...place, bit, value: (item.logicalMinimum ?? 0) + at, slots: count };
      }
      if (at >= 0 && at < count) return { ...place, bit: bit + at * size, value: undefined, slots: 1 };
      bit += size * count;
    }
  }
  return undefined;
}

function indexOf(item: ReportItem, usage: number): number {
  if (item.isRange === true) {
    const { usageMinimum = 0, usageMaximum = 0 } = item;
    return usage >= usageMinimum && usage <= usageMaximum ? usage - usageMinimum : -1;
  }
  return (item.usages ?? []).indexOf(usage);
}

/** Whether a usage is on in a report that came in; what is too short to say so is off. */
export function isOn(place: Place, data: DataView): boolean {
  for (let slot = 0; slot < place.slots; slot += 1) {
    const found = bitsAt(data, place.bit + slot * place.bits, place.bits);
    if (place.value === undefined ? found !== 0 : found === place.value) return true;
  }
  return false;
}

/** The bytes of an output report in which these bits are on. length: of the report, in bytes. */
export function outputOf(report: Report, on: readonly Place[]): Uint8Array<ArrayBuffer> {
  const bits = (report.items ?? []).reduce((sum, item) => sum + (item.reportSize ?? 0) * (item.reportCount ?? 0), 0);
  const made = new Uint8Array(Math.ceil(Math.min(bits, MOST_BITS) / 8));
  for (const place of on) {
    const wanted = place.value ?? 1;
    for (let each = 0; each < place.bits; each += 1) {
      const at = place.bit + each;
      if (((wanted >> each) & 1) === 1) made[at >> 3] = (made[at >> 3] ?? 0) | (1 << (at & 7));
    }
  }
  return made;
}

function bitsAt(data: DataView, bit: number, bits: number): number {
  let found = 0;
  for (let each = 0; each < Math.min(bits, 31); each += 1) {
    const at = bit + each;
    if (at >> 3 >= data.byteLength) return 0;
    found |= ((data.getUint8(at >> 3) >> (at & 7)) & 1) << each;
  }
  return found;
}
