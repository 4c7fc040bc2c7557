/** A question in front of the page, which waits: the browser's own modal dialog, with its focus and Escape. */
import { type ReactNode, useEffect, useId, useRef } from "react";

import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { useAction } from "../server/resource";
import { Button } from "./Button";
import { Problem } from "./Problem";

export function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}) {
  const id = useId();
  const words = useTexts(shell);
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown?.showModal();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <div className="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" label={words.close} onPress={onClose}>
          ×
        </Button>
      </div>
      {children}
    </dialog>
  );
}

/** Ask before something is done, and say what will happen. Stays open with what went wrong. */
export function Confirm({
  title,
  children,
  confirm,
  isDanger = false,
  onConfirm,
  onClose,
}: {
  readonly title: string;
  /** What will happen. */
  readonly children: ReactNode;
  /** The words of the button that does it: a verb, not « OK ». */
  readonly confirm: string;
  readonly isDanger?: boolean;
  readonly onConfirm: () => Promise<unknown>;
  readonly onClose: () => void;
}) {
  const words = useTexts(shell);
  const action = useAction();
  const go = () => {
    void action.run(onConfirm).then((isDone) => {
      if (isDone) onClose();
    });
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {action.problem !== undefined && <Problem problem={action.problem} />}
      <div className="dialog-body">{children}</div>
      <div className="actions">
        <Button kind={isDanger ? "danger" : "main"} isBusy={action.isBusy} onPress={go}>
          {confirm}
        </Button>
        <Button onPress={onClose}>{words.cancel}</Button>
      </div>
    </Dialog>
  );
}
