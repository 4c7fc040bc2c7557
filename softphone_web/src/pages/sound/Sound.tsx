/** Sound devices: chosen, tried, and kept in this browser; the headset's buttons; a call to oneself. */
import { Button } from "../../components/Button";
import { Checkbox } from "../../components/Field";
import { Page, Section } from "../../components/Page";
import { sound } from "../../language/sound";
import { useTexts } from "../../language/texts";
import { useMay, useSession } from "../../server/session";
import { chooseSound, useSoundChoice } from "../../telephone/devices";
import { useDialling } from "../around/placing";
import { usePresence } from "../around/presence";
import { HeadsetPart } from "./HeadsetPart";
import { Microphone } from "./Microphone";
import { Speakers } from "./Speakers";
import "./sound.css";

export default function Sound() {
  const words = useTexts(sound);
  const choice = useSoundChoice();
  const { extension } = useSession();
  const mayFind = useMay("people.read");
  return (
    <Page title={words.title} lead={words.lead}>
      <div className="sound">
        <Microphone />
        <Speakers />
        <Section title={words.treatment}>
          <Checkbox
            name="echo_cancellation"
            label={words.echo_cancellation}
            isChecked={choice.echoCancellation}
            onChange={(echoCancellation) => chooseSound({ echoCancellation })}
          />
          <Checkbox
            name="noise_suppression"
            label={words.noise_suppression}
            isChecked={choice.noiseSuppression}
            onChange={(noiseSuppression) => chooseSound({ noiseSuppression })}
          />
          <Checkbox
            name="gain"
            label={words.gain}
            isChecked={choice.autoGainControl}
            onChange={(autoGainControl) => chooseSound({ autoGainControl })}
          />
        </Section>
        {extension !== "" && mayFind && <EchoCall />}
        <HeadsetPart />
      </div>
    </Page>
  );
}

function EchoCall() {
  const words = useTexts(sound);
  const presence = usePresence();
  const dial = useDialling();
  return (
    <Section title={words.echo}>
      <p className="muted">{presence.isKnown && presence.echo === "" ? words.echo_none : words.echo_lead}</p>
      {presence.echo !== "" && <Button onPress={() => dial(presence.echo)}>{words.echo_call(presence.echo)}</Button>}
    </Section>
  );
}
