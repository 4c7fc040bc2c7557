/** Whoever is signed in: their account, language and appearance, and the way out. */
import { Button } from "react-aria-components/Button";
import {
  Header,
  Menu,
  MenuItem,
  MenuSection,
  MenuTrigger,
  Popover,
  type Selection,
  Separator,
} from "react-aria-components/Menu";

import { shell } from "../language/shell";
import { LANGUAGES, type Language, speak, useLanguage, useTexts } from "../language/texts";
import { api } from "../server/api";
import { type Session, signOut } from "../server/session";
import { APPEARANCES, type Appearance, look, useAppearance } from "./appearance";
import { navigate } from "./place";

export function AccountMenu({
  session,
  onShortcuts,
}: {
  readonly session: Session;
  readonly onShortcuts: () => void;
}) {
  const words = useTexts(shell);
  const spoken = useLanguage();
  const appearance = useAppearance();
  const act = (key: string) => {
    if (key === "account") navigate("/account");
    if (key === "shortcuts") onShortcuts();
    if (key === "out") void signOut();
  };
  return (
    <MenuTrigger>
      <Button className="button quiet account">
        <span className="initials" aria-hidden="true">
          {initials(session.name)}
        </span>
        <span className="unseen">{words.account}</span>
        <span className="account-name">{session.name}</span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu className="menu" onAction={(key) => act(String(key))}>
          <MenuItem id="account" className="menu-item">
            {words.my_account}
          </MenuItem>
          <MenuItem id="shortcuts" className="menu-item">
            {words.shortcuts} <kbd aria-hidden="true">?</kbd>
          </MenuItem>
          <Separator className="separator" />
          <MenuSection
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={[spoken]}
            onSelectionChange={(keys) => choose(keys, LANGUAGES, chosen)}
          >
            <Header className="menu-head">{words.language}</Header>
            <MenuItem id="fr" className="menu-item choice">
              {words.french}
            </MenuItem>
            <MenuItem id="en" className="menu-item choice">
              {words.english}
            </MenuItem>
          </MenuSection>
          <Separator className="separator" />
          <MenuSection
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={[appearance]}
            onSelectionChange={(keys) => choose(keys, APPEARANCES, look)}
          >
            <Header className="menu-head">{words.appearance}</Header>
            {APPEARANCES.map((one: Appearance) => (
              <MenuItem key={one} id={one} className="menu-item choice">
                {words[one]}
              </MenuItem>
            ))}
          </MenuSection>
          <Separator className="separator" />
          <MenuItem id="out" className="menu-item">
            {words.sign_out}
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

function choose<Value extends string>(
  keys: Selection,
  known: readonly Value[],
  then: (value: Value) => void,
): void {
  const value = known.find((one) => keys !== "all" && keys.has(one));
  if (value !== undefined) then(value);
}

/** The language is that of the account from now on; where that can't be kept, that of this device. */
function chosen(language: Language): void {
  speak(language);
  api.patch("/account", { language }).catch(() => undefined);
}

function initials(name: string): string {
  const parts = name.split(/\s+/).filter(Boolean);
  return [parts[0], parts.length > 1 ? parts.at(-1) : ""].map((part) => part?.[0] ?? "").join("");
}
