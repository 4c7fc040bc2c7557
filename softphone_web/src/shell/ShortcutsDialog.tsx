/** All keys of the page that is open, and the way to turn single keys off. */
import { useState } from "react";

import { Dialog } from "../components/Dialog";
import { Checkbox } from "../components/Field";
import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { areOn, turn, useShortcuts } from "./shortcuts";

export function ShortcutsDialog({ onClose }: { readonly onClose: () => void }) {
  const words = useTexts(shell);
  const shortcuts = useShortcuts();
  const [isOn, setOn] = useState(areOn);
  return (
    <Dialog title={words.shortcuts} onClose={onClose}>
      <dl className="keys">
        {shortcuts.map((shortcut) => (
          <div key={shortcut.key + shortcut.label}>
            <dt>
              <kbd>{shortcut.key}</kbd>
            </dt>
            <dd>{shortcut.label}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>↑</kbd> <kbd>↓</kbd>
          </dt>
          <dd>{words.key_rows}</dd>
        </div>
      </dl>
      <Checkbox
        name="keys"
        label={words.press_keys}
        hint={words.press_keys_hint}
        isChecked={isOn}
        onChange={(on) => {
          turn(on);
          setOn(on);
        }}
      />
    </Dialog>
  );
}
