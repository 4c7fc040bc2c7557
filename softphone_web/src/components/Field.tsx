/** Answers that a form asks for: one line, several lines, a choice, yes or no. Each with its label, hint and error. */
import { type ReactNode, useId } from "react";

import { shell } from "../language/shell";
import { useTexts } from "../language/texts";
import { useTrouble } from "./Form";

interface Asked {
  readonly name: string;
  readonly label: string;
  readonly hint?: ReactNode;
  readonly isRequired?: boolean;
  readonly isDisabled?: boolean;
  /** What is wrong, where the form doesn't know it. */
  readonly error?: string;
}

interface Wired {
  readonly id: string;
  readonly name: string;
  readonly disabled: boolean;
  readonly "aria-required": boolean | undefined;
  readonly "aria-invalid": boolean | undefined;
  readonly "aria-describedby": string | undefined;
}

function useField(asked: Asked): { wired: Wired; around: (control: ReactNode) => ReactNode } {
  const id = useId();
  const words = useTexts(shell);
  const trouble = useTrouble(asked.name);
  const error = asked.error ?? trouble;
  const described = [asked.hint === undefined ? "" : `${id}hint`, error === "" ? "" : `${id}error`];
  const wired = {
    id,
    name: asked.name,
    disabled: asked.isDisabled ?? false,
    "aria-required": asked.isRequired === true ? true : undefined,
    "aria-invalid": error === "" ? undefined : true,
    "aria-describedby": described.filter(Boolean).join(" ") || undefined,
  };
  const around = (control: ReactNode) => (
    <div className="field">
      <label htmlFor={id}>
        {asked.label}
        {asked.isRequired === false && <span className="muted"> ({words.optional})</span>}
      </label>
      {control}
      {asked.hint !== undefined && (
        <p id={`${id}hint`} className="hint">
          {asked.hint}
        </p>
      )}
      {error !== "" && (
        <p id={`${id}error`} className="field-error">
          {error}
        </p>
      )}
    </div>
  );
  return { wired, around };
}

export interface FieldProps extends Asked {
  readonly type?: "text" | "password" | "search" | "tel" | "email" | "url" | "number" | "date" | "datetime-local";
  readonly value?: string;
  readonly defaultValue?: string;
  readonly onChange?: (value: string) => void;
  readonly autoComplete?: string;
  readonly inputMode?: "numeric" | "tel" | "text";
  readonly placeholder?: string;
  readonly maxLength?: number;
  readonly isWide?: boolean;
  /** The id of a datalist with what fits. */
  readonly list?: string;
}

/** One line of text. isRequired: false says « facultatif »; leave it out where that is plain. */
export function Field(props: FieldProps) {
  const { wired, around } = useField(props);
  return around(
    <input
      {...wired}
      type={props.type ?? "text"}
      value={props.value}
      defaultValue={props.defaultValue}
      onChange={(event) => props.onChange?.(event.target.value)}
      autoComplete={props.autoComplete ?? "off"}
      inputMode={props.inputMode}
      placeholder={props.placeholder}
      maxLength={props.maxLength ?? 200}
      data-wide={props.isWide}
      list={props.list}
      spellCheck={false}
    />,
  );
}

/** Several lines. */
export function TextArea(props: FieldProps & { readonly rows?: number }) {
  const { wired, around } = useField(props);
  return around(
    <textarea
      {...wired}
      rows={props.rows ?? 4}
      value={props.value}
      defaultValue={props.defaultValue}
      onChange={(event) => props.onChange?.(event.target.value)}
      maxLength={props.maxLength}
    />,
  );
}

export interface Option {
  readonly value: string;
  readonly label: string;
}

/** One of a few. */
export function Select(
  props: Asked & {
    readonly options: readonly Option[];
    readonly value?: string;
    readonly defaultValue?: string;
    readonly onChange?: (value: string) => void;
  },
) {
  const { wired, around } = useField(props);
  return around(
    <select
      {...wired}
      value={props.value}
      defaultValue={props.defaultValue}
      onChange={(event) => props.onChange?.(event.target.value)}
    >
      {props.options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.label}
        </option>
      ))}
    </select>,
  );
}

/** Yes or no. In the answers it is "on", or absent. */
export function Checkbox(
  props: Asked & {
    readonly isChecked?: boolean;
    readonly isCheckedAtFirst?: boolean;
    readonly onChange?: (isChecked: boolean) => void;
  },
) {
  const id = useId();
  const trouble = useTrouble(props.name);
  const error = props.error ?? trouble;
  const described = [props.hint === undefined ? "" : `${id}hint`, error === "" ? "" : `${id}error`];
  return (
    <div className="field check">
      <input
        id={id}
        name={props.name}
        type="checkbox"
        disabled={props.isDisabled}
        checked={props.isChecked}
        defaultChecked={props.isCheckedAtFirst}
        aria-invalid={error === "" ? undefined : true}
        aria-describedby={described.filter(Boolean).join(" ") || undefined}
        onChange={(event) => props.onChange?.(event.target.checked)}
      />
      <label htmlFor={id}>{props.label}</label>
      {props.hint !== undefined && (
        <p id={`${id}hint`} className="hint">
          {props.hint}
        </p>
      )}
      {error !== "" && (
        <p id={`${id}error`} className="field-error">
          {error}
        </p>
      )}
    </div>
  );
}

/** Fields that belong together, under one name. */
export function FieldGroup({ label, children }: { readonly label: string; readonly children: ReactNode }) {
  return (
    <fieldset>
      <legend>{label}</legend>
      {children}
    </fieldset>
  );
}
