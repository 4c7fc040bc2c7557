/**
 * A link that somebody pressed elsewhere (`tel:`, `sip:`), read as a number to be called.
 *
 *     readLink("tel:+33-3-83-00-01-00;ext=42")   { number: "+33383000100", extension: "42" }
 *     readLink("sip:1002@valmont.example", "valmont.example")   { number: "1002", extension: "" }
 *
 * A link is written by whoever made its page: it is read strictly (RFC 3966, RFC 3261 section 19.1), and never dialled
 * by itself.
 */
export interface Linked {
  readonly number: string;
  /** What is to be pressed once it is answered, "" for nothing. */
  readonly extension: string;
}

/** strange: it is no link that we know; elsewhere: an address of another domain; code: it would switch something. */
export type Strange = "strange" | "elsewhere" | "code";

const MOST_CHARS = 200;
// RFC 3966 section 3: visual separators.
const SEPARATORS = /[-.() ]/g;

/** Read what a link names; host: ours, to which a SIP address may lead. */
export function readLink(text: string, host: string): Linked | Strange {
  const link = decoded(text.trim());
  if (link === "" || link.length > MOST_CHARS) return "strange";
  const [, scheme = "", rest = ""] = /^([a-z+]+):(.*)$/i.exec(link) ?? ["", "tel", link];
  switch (scheme.toLowerCase()) {
    case "tel":
    case "web+tel":
      return ofTelephone(rest);
    case "sip":
    case "sips":
    case "web+sip":
      return ofAddress(rest, host);
    default:
      return "strange";
  }
}

function ofTelephone(rest: string): Linked | Strange {
  const [subscriber = "", ...parameters] = rest.replace(/^\/\//, "").split(";");
  const number = subscriber.replace(SEPARATORS, "");
  let extension = "";
  for (const parameter of parameters) {
    const [name = "", value = ""] = parameter.split("=");
    if (name.toLowerCase() !== "ext") continue;
    extension = value.replace(SEPARATORS, "");
    if (!/^[0-9]{1,12}$/.test(extension)) return "strange";
  }
  return checked(number, extension);
}

function ofAddress(rest: string, host: string): Linked | Strange {
  const found = /^([^@;?:]+)(?::[^@]*)?@([^;?:]+)(?::[0-9]+)?(?:[;?].*)?$/.exec(rest);
  if (found === null) return "strange";
  const [, user = "", domain = ""] = found;
  // A number is called as one; another domain's names lead nowhere here.
  if (domain.toLowerCase() !== host.toLowerCase() && !user.startsWith("+")) return "elsewhere";
  return checked(user.replace(SEPARATORS, ""), "");
}

function checked(number: string, extension: string): Linked | Strange {
  if (/[*#]/.test(number)) return "code";
  return /^\+?[0-9]{2,20}$/.test(number) ? { number, extension } : "strange";
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
