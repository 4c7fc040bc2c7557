/** A button. `kind` says how much it weighs; a key that does the same is shown when one points at it. */
import type { ReactNode } from "react";

import { useShortcut } from "../shell/shortcuts";

export interface ButtonProps {
  readonly children: ReactNode;
  readonly onPress?: (() => void) | undefined;
  readonly kind?: "plain" | "main" | "danger" | "quiet";
  readonly type?: "button" | "submit";
  readonly isDisabled?: boolean;
  readonly isBusy?: boolean;
  readonly isPressed?: boolean | undefined;
  /** What it does, where its content doesn't say it all: « Appeler 1002 ». Begins with the words shown. */
  readonly label?: string | undefined;
  readonly shortcut?: string;
}

export function Button({
  children,
  onPress,
  kind = "plain",
  type = "button",
  isDisabled = false,
  isBusy = false,
  isPressed,
  label,
  shortcut = "",
}: ButtonProps) {
  const name = label ?? (typeof children === "string" ? children : "");
  const press = () => {
    if (!isDisabled && !isBusy) onPress?.();
  };
  useShortcut(shortcut, name, press);
  return (
    <button
      type={type}
      className={`button ${kind}`}
      disabled={isDisabled}
      aria-disabled={isBusy || undefined}
      aria-pressed={isPressed}
      aria-label={label}
      aria-keyshortcuts={shortcut === "" ? undefined : shortcut}
      data-busy={isBusy || undefined}
      onClick={(event) => {
        if (isBusy) event.preventDefault();
        else press();
      }}
    >
      {children}
      {shortcut !== "" && <kbd aria-hidden="true">{shortcut}</kbd>}
    </button>
  );
}
