/** Whose a telephone is: a field for each of its lines, in their order. */
import { useState } from "react";

import { Button } from "../../components/Button";
import { FieldGroup } from "../../components/Field";
import { phones } from "../../language/phones";
import { useTexts } from "../../language/texts";
import { PersonField } from "./PersonField";

export const MOST_LINES = 6;

export function LinesField({ first, onChange }: { readonly first: readonly string[]; readonly onChange: (extensions: readonly string[]) => void }) {
  const words = useTexts(phones);
  const [lines, setLines] = useState<readonly string[]>(first.length === 0 ? [""] : first);
  const change = (next: readonly string[]) => {
    setLines(next);
    onChange(next.map((one) => one.trim()).filter(Boolean));
  };
  return (
    <FieldGroup label={words.part_lines}>
      {lines.map((line, index) => (
        <div className="phone-line" key={index}>
          <PersonField
            name={index === 0 ? "extensions" : `extensions-${index}`}
            label={words.line(index + 1)}
            hint={index === 0 ? words.line_hint : ""}
            value={line}
            onlyPeople
            onChange={(value) => change(lines.with(index, value))}
          />
          {lines.length > 1 && (
            <Button label={words.take_line(index + 1)} onPress={() => change(lines.toSpliced(index, 1))}>
              {words.remove_line}
            </Button>
          )}
        </div>
      ))}
      {lines.length < MOST_LINES && (
        <div>
          <Button onPress={() => setLines([...lines, ""])}>{words.add_line}</Button>
        </div>
      )}
    </FieldGroup>
  );
}
