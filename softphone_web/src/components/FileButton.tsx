/** A button that lets a file be chosen, and says which: at each choice, also of the same file again. */
import { useRef } from "react";

import { Button } from "./Button";

export function FileButton({
  accept,
  label,
  kind = "plain",
  isBusy = false,
  onChoose,
  children,
}: {
  /** Which files: endings and media types. */
  readonly accept: string;
  /** What the file is, for who doesn't see the button. */
  readonly label: string;
  readonly kind?: "main" | "plain";
  readonly isBusy?: boolean;
  readonly onChoose: (file: File) => void;
  readonly children: string;
}) {
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <>
      <Button kind={kind} isBusy={isBusy} onPress={() => chooser.current?.click()}>
        {children}
      </Button>
      <input
        ref={chooser}
        type="file"
        accept={accept}
        hidden
        aria-label={label}
        onChange={(event) => {
          const chosen = event.target.files?.[0];
          event.target.value = "";
          if (chosen !== undefined) onChoose(chosen);
        }}
      />
    </>
  );
}
