/** Hours between which something may be done; any, where none are chosen. */
import { useState } from "react";

import { Checkbox, Select } from "../../components/Field";
import type { Answers } from "../../components/Form";
import { phoneCare } from "../../language/phone_care";
import { useTexts } from "../../language/texts";
import type { Hours } from "./care";

const HOURS = Array.from({ length: 24 }, (_, hour) => ({ value: String(hour), label: `${hour} h` }));

export function HoursField({ first = null }: { readonly first?: Hours | null }) {
  const words = useTexts(phoneCare);
  const [isLimited, setLimited] = useState(first !== null);
  return (
    <>
      <Checkbox name="limited" label={words.only_nights} isChecked={isLimited} onChange={setLimited} />
      {isLimited && (
        <div className="phone-hours">
          <Select name="hour_from" label={words.from} defaultValue={String(first?.[0] ?? 22)} options={HOURS} />
          <Select name="hour_until" label={words.until} defaultValue={String(first?.[1] ?? 5)} options={HOURS} />
        </div>
      )}
    </>
  );
}

/** What the field has, of a form's answers. */
export function hoursOf(answers: Answers): Hours | null {
  if (answers["limited"] === undefined) return null;
  return [Number(answers["hour_from"]), Number(answers["hour_until"])];
}
