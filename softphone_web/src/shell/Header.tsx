/** The top of every page: the places, and the account. */
import { type ReactNode, useState } from "react";

import { Link } from "../components/Link";
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import type { Place } from "../pages";
import type { Session } from "../server/session";
import { AccountMenu } from "./AccountMenu";
import { NewMessages } from "./NewMessages";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { placesOf } from "./opening";
import { navigate } from "./place";
import { useShortcut } from "./shortcuts";

export function Header({ session, place }: { readonly session: Session; readonly place: Place | undefined }) {
  const words = useTexts(shell);
  const places = placesOf(session.rights);
  const [isHelpOpen, setHelpOpen] = useState(false);
  useShortcut("?", words.key_help, () => setHelpOpen(true));
  return (
    <header className="head">
      <Link to="/" className="brand">
        {words.program}
      </Link>
      <nav aria-label={words.places}>
        <ul>
          {places.map(({ place: one, first }, index) => (
            <li key={one}>
              <PlaceLink to={first.path} name={words[one]} digit={String(index + 1)} isCurrent={one === place}>
                {one === "messages" && session.extension !== "" && <NewMessages />}
              </PlaceLink>
            </li>
          ))}
        </ul>
      </nav>
      <AccountMenu session={session} onShortcuts={() => setHelpOpen(true)} />
      {isHelpOpen && <ShortcutsDialog onClose={() => setHelpOpen(false)} />}
    </header>
  );
}

function PlaceLink({
  to,
  name,
  digit,
  isCurrent,
  children,
}: {
  readonly to: string;
  readonly name: string;
  readonly digit: string;
  readonly isCurrent: boolean;
  /** What waits there. */
  readonly children: ReactNode;
}) {
  const words = useTexts(shell);
  useShortcut(digit, words.key_place(name), () => navigate(to));
  return (
    <Link to={to} isCurrent={isCurrent} className="place">
      {name}
      {children}
      <kbd aria-hidden="true">{digit}</kbd>
    </Link>
  );
}
