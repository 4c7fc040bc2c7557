/** For how long something is set, as people say it: and when that ends, in their own time zone. */
export const LENGTHS = ["for_ever", "half_hour", "hour", "two_hours", "evening", "tomorrow", "monday"] as const;
export type Length = (typeof LENGTHS)[number];

const EVENING_HOUR = 18;
const MORNING_HOUR = 8;

/** When it ends, in Unix seconds; 0 for never. After 18 h, « this evening » is tomorrow's. */
export function endOf(length: Length, now: Date): number {
  const end = new Date(now);
  switch (length) {
    case "for_ever":
      return 0;
    case "half_hour":
      end.setMinutes(end.getMinutes() + 30);
      break;
    case "hour":
      end.setHours(end.getHours() + 1);
      break;
    case "two_hours":
      end.setHours(end.getHours() + 2);
      break;
    case "evening":
      end.setHours(EVENING_HOUR, 0, 0, 0);
      if (end <= now) end.setDate(end.getDate() + 1);
      break;
    case "tomorrow":
      end.setDate(end.getDate() + 1);
      end.setHours(MORNING_HOUR, 0, 0, 0);
      break;
    case "monday":
      end.setDate(end.getDate() + ((8 - end.getDay()) % 7 || 7));
      end.setHours(MORNING_HOUR, 0, 0, 0);
      break;
  }
  return Math.round(end.getTime() / 1000);
}
