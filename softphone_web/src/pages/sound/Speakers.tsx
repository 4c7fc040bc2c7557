/** Where one hears, and where it rings: each on a device of its own, with its volume, and tried. */
import { useId, useState } from "react";

import { Button } from "../../components/Button";
import { Select } from "../../components/Field";
import { Section } from "../../components/Page";
import { sound } from "../../language/sound";
import { useTexts } from "../../language/texts";
import { chooseSound, present, useSoundChoice, useSoundDevices } from "../../telephone/devices";
import { useOptions } from "./options";
import { play } from "./playing";

export function Speakers() {
  const words = useTexts(sound);
  const choice = useSoundChoice();
  const { speakers, canChooseSpeaker } = useSoundDevices();
  const options = useOptions(speakers);
  const chosen = { speaker: present(choice.speaker, speakers), ringer: present(choice.ringer, speakers) };
  return (
    <>
      <Section title={words.speaker}>
        <div className="stacked">
          {canChooseSpeaker ? (
            <Select
              name="speaker"
              label={words.speaker}
              value={chosen.speaker}
              onChange={(speaker) => chooseSound({ speaker })}
              options={options}
            />
          ) : (
            <p className="muted">{words.no_choice}</p>
          )}
          <Volume label={words.volume} value={choice.volume} onChange={(volume) => chooseSound({ volume })} />
          <Try words={words.tone} run={() => play("tone", chosen.speaker, choice.volume)} />
        </div>
      </Section>
      <Section title={words.ringer}>
        <div className="stacked">
          {canChooseSpeaker && (
            <Select
              name="ringer"
              label={words.ringer}
              hint={words.ringer_hint}
              value={chosen.ringer}
              onChange={(ringer) => chooseSound({ ringer })}
              options={options}
            />
          )}
          <Volume
            label={words.ring_volume}
            value={choice.ringVolume}
            onChange={(ringVolume) => chooseSound({ ringVolume })}
          />
          <Try words={words.ring} run={() => play("ring", chosen.ringer, choice.ringVolume)} />
        </div>
      </Section>
    </>
  );
}

function Volume({
  label,
  value,
  onChange,
}: {
  readonly label: string;
  readonly value: number;
  readonly onChange: (value: number) => void;
}) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type="range"
        min={0}
        max={100}
        step={5}
        value={Math.round(value * 100)}
        aria-valuetext={`${Math.round(value * 100)} %`}
        onChange={(event) => onChange(Number(event.target.value) / 100)}
      />
    </div>
  );
}

function Try({ words: label, run }: { readonly words: string; readonly run: () => Promise<void> }) {
  const words = useTexts(sound);
  const [state, setState] = useState<"" | "playing" | "not_played">("");
  const begin = () => {
    setState("playing");
    run().then(
      () => setState(""),
      () => setState("not_played"),
    );
  };
  return (
    <div className="actions">
      <Button isBusy={state === "playing"} onPress={begin}>
        {label}
      </Button>
      <span role="status">{state !== "" && words[state]}</span>
    </div>
  );
}
