/** The microphone: chosen, and tried with a level that is seen and said. */
import { useEffect, useState } from "react";

import { Button } from "../../components/Button";
import { Select } from "../../components/Field";
import { Section } from "../../components/Page";
import { sound } from "../../language/sound";
import { useTexts } from "../../language/texts";
import {
  MicrophoneProblem,
  type MicrophoneTrouble as Trouble,
  chooseSound,
  openMicrophone,
  present,
  useSoundChoice,
  useSoundDevices,
} from "../../telephone/devices";
import { MicrophoneTrouble } from "./MicrophoneTrouble";
import { type Loudness, loudnessOf, useLevel } from "./level";
import { useOptions } from "./options";

export function Microphone() {
  const words = useTexts(sound);
  const choice = useSoundChoice();
  const devices = useSoundDevices();
  const options = useOptions(devices.microphones);
  const [isTrying, setTrying] = useState(false);
  return (
    <Section title={words.microphone}>
      <div className="stacked">
        <Select
          name="microphone"
          label={words.microphone}
          value={present(choice.microphone, devices.microphones)}
          onChange={(microphone) => chooseSound({ microphone })}
          options={options}
        />
        <div className="actions">
          <Button isPressed={isTrying} onPress={() => setTrying(!isTrying)}>
            {isTrying ? words.stop : words.listen}
          </Button>
        </div>
        {/* Another microphone, or another treatment, is another stream. */}
        {isTrying && <Trying key={JSON.stringify([choice.microphone, choice.echoCancellation, choice.noiseSuppression, choice.autoGainControl])} />}
      </div>
    </Section>
  );
}

/** What the microphone hears, as long as it is drawn. */
export function Trying() {
  const [stream, setStream] = useState<MediaStream>();
  const [trouble, setTrouble] = useState<Trouble>();
  useEffect(() => {
    let isOver = false;
    let opened: MediaStream | undefined;
    const stop = () => opened?.getTracks().forEach((track) => track.stop());
    openMicrophone().then(
      (made) => {
        opened = made;
        if (isOver) stop();
        else setStream(made);
      },
      (failure: unknown) => setTrouble(failure instanceof MicrophoneProblem ? failure.trouble : "microphone_busy"),
    );
    return () => {
      isOver = true;
      stop();
    };
  }, []);
  if (trouble !== undefined) return <MicrophoneTrouble trouble={trouble} />;
  return <Meter stream={stream} />;
}

/** A bar, and its word: said once when it becomes another. */
function Meter({ stream }: { readonly stream: MediaStream | undefined }) {
  const words = useTexts(sound);
  const level = useLevel(stream);
  const loudness = useSteady(loudnessOf(level));
  const word = stream === undefined ? "" : words[`level_${loudness}`];
  return (
    <div className="meter">
      <div
        role="meter"
        aria-label={words.level}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(level * 100)}
        aria-valuetext={word}
        className="meter-bar"
      >
        <span style={{ inlineSize: `${Math.round(level * 100)}%` }} />
      </div>
      <p role="status">{word}</p>
    </div>
  );
}

const STEADY_MS = 1500;
const LOUDNESSES: readonly Loudness[] = ["none", "low", "good", "loud"];

/** How loud it is: louder is said at once, quieter once it has stayed so, since speech comes and goes. */
function useSteady(now: Loudness): Loudness {
  const [steady, setSteady] = useState(now);
  const isLouder = LOUDNESSES.indexOf(now) > LOUDNESSES.indexOf(steady);
  useEffect(() => {
    const timer = setTimeout(() => setSteady(now), isLouder ? 0 : STEADY_MS);
    return () => clearTimeout(timer);
  }, [now, isLouder]);
  return steady;
}
