/** The buttons of a headset: which one is used, or why none is. */
import { useEffect } from "react";

import { Button } from "../../components/Button";
import { Section } from "../../components/Page";
import { State } from "../../components/State";
import { chooseHeadset, startHeadset, useHeadset } from "../../headset/headset";
import { sound } from "../../language/sound";
import { useTexts } from "../../language/texts";

export function HeadsetPart() {
  const words = useTexts(sound);
  const headset = useHeadset();
  useEffect(startHeadset, []);
  return (
    <Section title={words.headset}>
      <p className="muted">{headset.isPossible ? words.headset_lead : words.headset_impossible}</p>
      {headset.isPossible && (
        <div className="actions">
          <span role="status">
            {headset.name !== "" ? (
              <State kind="good">{words.headset_is(headset.name)}</State>
            ) : headset.trouble !== "" ? (
              <State kind="warning">{words[`headset_${headset.trouble}`]}</State>
            ) : (
              <State kind="off">{words.headset_none}</State>
            )}
          </span>
          <Button onPress={() => void chooseHeadset()}>{words.headset_choose}</Button>
        </div>
      )}
    </Section>
  );
}
