/** An extension, found by a name: the browser's own list of what fits, with the name below once it is known. */
import { useEffect, useId, useState } from "react";

import { Field } from "../../components/Field";
import type { List } from "../../server/api";
import { useResource } from "../../server/resource";
import type { Entry } from "../directory/shapes";

const MOST_FOUND = 12;
const PAUSE_MS = 150;

export function PersonField({
  name,
  label,
  hint,
  value,
  onChange,
  onName,
  onlyPeople = false,
  isRequired,
}: {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Told whose number it is, "" for nobody's that is known. */
  readonly onName?: (name: string) => void;
  readonly onlyPeople?: boolean;
  readonly isRequired?: boolean;
}) {
  const id = useId();
  const [asked, setAsked] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(value.trim()), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  const kind = onlyPeople ? "&kind=person" : "";
  const path = `/directory?limit=${MOST_FOUND}&search=${encodeURIComponent(asked)}${kind}`;
  const found = useResource<List<Entry>>(asked === "" ? undefined : path);
  const known = (found.data?.items ?? []).filter((one) => one.number !== "");
  const whose = known.find((one) => one.number === value.trim())?.name ?? "";
  useEffect(() => onName?.(whose), [whose, onName]);
  return (
    <>
      <Field
        name={name}
        label={label}
        hint={whose === "" ? hint : whose}
        value={value}
        onChange={onChange}
        list={id}
        maxLength={40}
        {...(isRequired === true ? { isRequired } : {})}
      />
      <datalist id={id}>
        {known.map((one) => (
          <option key={one.id} value={one.number}>
            {one.name}
          </option>
        ))}
      </datalist>
    </>
  );
}
